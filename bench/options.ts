/**
 * What does each way to steer a picture cost over plain text to image: a step, what comes around the
 * steps, and memory?
 *
 *     deno run -A bench/options.ts [--model DIR] [--side 512] [--steps 3] [--rounds 3] [--only REGEXP]
 *
 * Each option is a process of its own, since peak memory is the process's; the processes of a round
 * come one after another, so that a machine that slows down slows all. Of a step the quickest counts,
 * the first left out. Networks beside the model have random weights: `option_networks.ts`.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { type GenerateOptions, Image, type OpenOptions, StableDiffusion } from "../mod.ts";
import { type OptionNetworks, writeOptionNetworks } from "./option_networks.ts";
import { machine } from "./peers/machine.ts";
import { peakDuring, readProcessorTime } from "./peers/memory.ts";
import { table } from "./peers/table.ts";

/** One way to draw. */
interface Way {
  readonly open?: OpenOptions;
  readonly options?: Partial<GenerateOptions>;
}

const PROMPT = "a red seven on a blue background", LONG = `${PROMPT}, `.repeat(12);

/** Every option that costs something, by name; pictures are noise of the run's size. */
function ways(networks: OptionNetworks, image: Image, mask: Image): Readonly<Record<string, Way>> {
  const { lora: path, controlNet, t2iAdapter, ipAdapter, imageEncoder, clip } = networks;
  const open = clip === undefined ? {} : { clip };
  const prompt = `${PROMPT}<lora:${path}:0.5>`;
  return {
    "plain": {},
    "no guidance": { options: { guidanceScale: 1 } },
    "image to image": { options: { image, strength: 1 } },
    "inpainting": { options: { image, mask } },
    "two windows of tokens": { options: { prompt: LONG } },
    "two prompts with AND": { options: { prompt: "a seven AND a three" } },
    "Perp-Neg": { options: { guidance: "perp-neg" } },
    "APG": { options: { guidance: "apg" } },
    "LoRA, merged": { options: { prompt } },
    "LoRA, runtime": { open: { loraMode: "runtime" }, options: { prompt } },
    "ControlNet": { open: { controlNets: [controlNet] }, options: { controls: [{ image }] } },
    "T2I-Adapter": { open: { t2iAdapters: [t2iAdapter] }, options: { adapters: [{ image }] } },
    "IP-Adapter": {
      open: { ipAdapters: [{ path: ipAdapter, imageEncoder }] },
      options: { imagePrompts: [{ image }] },
    },
    "FreeU": { options: { freeU: { b1: 1.5, b2: 1.6, s1: 0.9, s2: 0.2 } } },
    "perturbed attention": { options: { perturbedAttentionScale: 3 } },
    "self-attention": { options: { selfAttentionScale: 0.75 } },
    "skipped layers": { options: { skipLayerScale: 2 } },
    "CLIP guidance": { open, options: { clipGuidance: 0.1 } },
    "like a picture": { open, options: { like: image } },
  };
}

/** What a process reports of one way. */
interface Measured {
  /** Of the quickest step, in seconds. */
  readonly step: number;
  /** Of all but the first step, of the processors: the mean. */
  readonly processor: number;
  /** All of the first picture but its other steps: networks built, prompts and pictures encoded. */
  readonly around: number;
  /** The second picture with another weight in its prompt, until its first step is done. */
  readonly change: number;
  readonly ownGb: number;
  readonly peakGb: number;
}

function noise(side: number, of: (i: number) => number): Image {
  return new Image(side, side, new Uint8ClampedArray(3 * side * side).map((_, i) => of(i)));
}

async function measure(name: string, model: string | undefined, folder: string, run: Run) {
  const networks = JSON.parse(await Deno.readTextFile(`${folder}/networks.json`));
  const image = noise(run.side, (i) => (i * 2654435761) >>> 24);
  const mask = noise(run.side, (i) => i % (3 * run.side) < 1.5 * run.side ? 255 : 0);
  const { open = {}, options = {} } = ways(networks, image, mask)[name]!;
  const { result, memory } = await peakDuring(Deno.pid, async () => {
    await using sd = await StableDiffusion.open(model, open);
    const size = { width: run.side, height: run.side, steps: run.steps, seed: 1 };
    const given: GenerateOptions = { prompt: PROMPT, scheduler: "ddim", ...size, ...options };
    const first = await timed(sd, given);
    const changed = { ...given, prompt: given.prompt.replace(":0.5>", ":0.6>") };
    const second = await timed(sd, changed, 1);
    return { ...first, change: second.around };
  });
  const [ownGb, peakGb] = [memory.anonymous / 1e9, memory.peak / 1e9];
  console.log(JSON.stringify({ ...result, ownGb, peakGb }));
}

/** Draws; `most` steps, and without decoding, if given. */
async function timed(sd: StableDiffusion, options: GenerateOptions, most = Infinity) {
  const began = performance.now();
  let before = began, first = 0, last = 0, latents, count = 0;
  let step = Infinity, inSteps = 0;
  for await (const one of sd.denoise(options)) {
    const now = performance.now(), used = await readProcessorTime(Deno.pid);
    if (count++ === 0) first = used;
    else {
      step = Math.min(step, (now - before) / 1000);
      inSteps += (now - before) / 1000;
    }
    [before, last, latents] = [now, used, one.latents];
    if (count >= most) break;
  }
  if (most === Infinity) await sd.decode(latents!);
  const processor = (last - first) / 1000 / (count - 1);
  return { step, processor, around: (performance.now() - began) / 1000 - inSteps };
}

interface Run {
  readonly side: number;
  readonly steps: number;
}

async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      model: { type: "string" },
      side: { type: "string", default: "64" },
      steps: { type: "string", default: "3" },
      rounds: { type: "string", default: "3" },
      only: { type: "string", default: "" },
      record: { type: "boolean", default: false },
      way: { type: "string" },
      networks: { type: "string" },
    },
  });
  const run = { side: Number(values.side), steps: Number(values.steps) };
  if (values.way !== undefined) {
    return await measure(values.way, values.model, values.networks!, run);
  }
  const folder = await Deno.makeTempDir();
  try {
    const networks = await writeOptionNetworks(values.model, folder);
    await Deno.writeTextFile(`${folder}/networks.json`, JSON.stringify(networks));
    const one = noise(8, () => 0), only = new RegExp(values.only);
    const names = Object.keys(ways(networks, one, one)).filter((name) =>
      name === "plain" || only.test(name)
    );
    const best = new Map<string, Measured>();
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const way of names) {
        const found = await ask([...args, "--way", way, "--networks", folder]);
        console.error(`round ${round + 1}: ${way} ${found ? found.processor : "failed"}`);
        if (found) best.set(way, least(best.get(way), found));
      }
    }
    const shown = args.map((arg, i) => args[i - 1] === "--model" ? "..." : arg);
    const command = `bench/options.ts ${shown.filter((arg) => arg !== "--record").join(" ")}`;
    const text = `${await machine(command)}\n${report(best, run)}`;
    console.log(text);
    const history = fileURLToPath(new URL("./HISTORY.md", import.meta.url));
    if (values.record) await Deno.writeTextFile(history, `\n${text}`, { append: true });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function ask(args: string[]): Promise<Measured | undefined> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", fileURLToPath(import.meta.url), ...args],
    stderr: "inherit",
  });
  const { success, stdout } = await process.output();
  return success ? JSON.parse(new TextDecoder().decode(stdout)) : undefined;
}

/** The least of each number of two rounds. */
function least(a: Measured | undefined, b: Measured): Measured {
  if (!a) return b;
  const keys = Object.keys(b) as (keyof Measured)[];
  const numbers = keys.map((key) => [key, Math.min(a[key], b[key])]);
  return Object.fromEntries(numbers) as unknown as Measured;
}

function report(best: ReadonlyMap<string, Measured>, { side }: Run): string {
  const plain = best.get("plain")!;
  const rows = [...best].map(([name, { step, processor, around, change, ownGb, peakGb }]) => [
    name,
    step.toFixed(3),
    processor.toFixed(3),
    `${(processor / plain.processor).toFixed(2)}`,
    around.toFixed(2),
    change.toFixed(2),
    ownGb.toFixed(2),
    (ownGb - plain.ownGb).toFixed(2),
    peakGb.toFixed(2),
  ]);
  const head = ["", "step s", "processor s", "of plain", "around s", "again s"];
  return `${side}x${side}; the quickest step by the clock, the mean one in processor time; around: everything else of ` +
    "the first picture; again: the second one's first step, with another LoRA weight where there " +
    `is one.\n\n${table([...head, "own GB", "over plain", "peak GB"], rows)}`;
}

if (import.meta.main) await main(Deno.args);
