/**
 * What does it cost to open and use full-size models, in float32 and float16 files, as a diffusers
 * folder and as a single file?
 *
 *     deno run -A bench/containers.ts FOLDER [--families sd15,sd21,sdxl] [--dtypes fp32,fp16]
 *         [--containers folder,file] [--sizes 512] [--steps 1] [--opens 5] [--no-decode] [--sparse]
 *         [--low-memory]
 *
 * Writes each model with random weights into FOLDER, uses it in a process of its own, and deletes it:
 * at most 14 GB of disk at a time. `--sparse` writes the headers alone: all weights are zero, take no
 * room on the disk, and the same in memory. Sizes 0: it is opened only. Prints a table; memory as
 * /proc says (see `peers/memory.ts`), processor time of all threads together.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { type Latents, StableDiffusion } from "../mod.ts";
import {
  encodeHeader,
  type GeneratedTensor,
  writeSafetensors,
} from "../weights/safetensors_write.ts";
import { tensorByteLength } from "../weights/stored_tensor.ts";
import { makePipelineFolder, type WriteWeights } from "./make_sd15.ts";
import { larger, type Memory, NO_MEMORY, peakDuring, readProcessorTime } from "./peers/memory.ts";
import { randomTensors } from "./random_weights.ts";
import { FAMILIES } from "./sd_families.ts";

type Family = keyof typeof FAMILIES;
type DType = "fp32" | "fp16";

/** Milliseconds by the clock, and of all processors. */
interface Time {
  readonly clock: number;
  readonly processor: number;
}

/** What one use of a model took. */
interface Measured {
  /** `StableDiffusion.open`: configurations, tokenizers, headers; the quickest of several. */
  readonly open: Time;
  /** To the end of the first step: text encoders and U-Net built and run, weights converted. */
  readonly first: Time;
  /** The last step, where there is more than one. */
  readonly step: Time;
  readonly decode: Time;
  readonly drawing: Memory;
  readonly decoding: Memory;
}

/** Writes the model; the path to open. */
async function make(folder: string, family: Family, dtype: DType, kind: string, sparse: boolean) {
  if (kind === "folder") {
    await makePipelineFolder(folder, FAMILIES[family], dtype, sparse ? writeHoles : undefined);
    return folder;
  }
  const golden = new URL(`../tests/golden/models/names_${family}.json.gz`, import.meta.url);
  const names: { single_file: Record<string, number[]> } = JSON.parse(
    new TextDecoder().decode(gunzipSync(await Deno.readFile(golden))),
  );
  const path = join(folder, `${family}.${dtype}.safetensors`);
  const tensors = randomTensors(
    Object.entries(names.single_file),
    dtype === "fp16" ? "F16" : "F32",
  );
  const write: WriteWeights = sparse ? writeHoles : writeSafetensors;
  await write(path, tensors, { metadata: { format: "pt" } });
  return path;
}

/** Writes a safetensors file whose tensors are a hole in it. */
async function writeHoles(path: string, tensors: readonly GeneratedTensor[]): Promise<void> {
  const header = encodeHeader(tensors, {});
  const bytes = tensors.reduce((sum, { dtype, shape }) => sum + tensorByteLength(dtype, shape), 0);
  await Deno.mkdir(dirname(path), { recursive: true });
  await Deno.writeFile(path, header);
  await Deno.truncate(path, header.length + bytes);
}

async function timed<T>(work: () => Promise<T>): Promise<{ result: T; time: Time }> {
  const begin = performance.now(), used = await readProcessorTime(Deno.pid);
  const result = await work();
  const processor = await readProcessorTime(Deno.pid) - used;
  return { result, time: { clock: performance.now() - begin, processor } };
}

const NO_TIME: Time = { clock: 0, processor: 0 };

/** How a model is used. */
interface Use {
  readonly size: number;
  readonly steps: number;
  readonly opens: number;
  readonly decodes: boolean;
  readonly variant: string | undefined;
  readonly lowMemory: boolean;
}

/** Opens and draws in this process. */
async function measure(model: string, use: Use): Promise<Measured> {
  const { size, steps, variant, lowMemory } = use;
  const options = { lowMemory, ...(variant !== undefined && { variant }) };
  const open = () => StableDiffusion.open(model, options);
  let quickest = { clock: Infinity, processor: Infinity };
  for (let i = 1; i < use.opens; i++) {
    const { result, time } = await timed(open);
    await result[Symbol.asyncDispose]();
    if (time.clock < quickest.clock) quickest = time;
  }
  const { result, time } = await timed(open);
  await using sd = result;
  if (time.clock < quickest.clock) quickest = time;
  const none = { first: NO_TIME, step: NO_TIME, decode: NO_TIME };
  if (size === 0) return { open: quickest, ...none, drawing: NO_MEMORY, decoding: NO_MEMORY };
  const settings = sd.settings({
    ...{ prompt: "a lighthouse at dawn", negativePrompt: "blurry", seed: 1 },
    ...{ steps, width: size, height: size, scheduler: "EulerDiscreteScheduler" },
    metadata: false,
  });
  const run = sd.denoise(settings), times: Time[] = [];
  const { result: latents, memory: drawing } = await peakDuring(Deno.pid, async () => {
    let latents: Latents | undefined;
    for (;;) {
      const { result, time } = await timed(() => run.next());
      if (result.done) return latents!;
      times.push(time);
      latents = result.value.latents;
    }
  });
  const measured = { open: quickest, first: times[0]!, step: times.at(-1)!, drawing };
  if (!use.decodes) return { ...measured, decode: NO_TIME, decoding: drawing };
  const { result: { time: decode }, memory: decoding } = await peakDuring(
    Deno.pid,
    () => timed(() => sd.decode(latents, settings)),
  );
  return { ...measured, decode, decoding };
}

/** Measures in a process of its own, which nothing before has warmed or filled. */
async function measureApart(
  model: string,
  options: Record<string, string>,
  switches: readonly string[],
): Promise<Measured> {
  const flags = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
  flags.push(...switches);
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", fileURLToPath(import.meta.url), "--use", model, ...flags],
    stderr: "inherit",
  }).output();
  if (code !== 0) throw new Error(`Cannot measure ${model}: the process ended with ${code}.`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

const HEADER =
  "| model | size | open ms | first step s | step s | decode s | own GB, drawing | decoding " +
  "| mapped GB | peak GB |";

function row(name: string, size: string, steps: number, measured: Measured): string {
  const { open, first, step, decode, drawing, decoding } = measured;
  const both = ({ clock, processor }: Time, unit: number, digits: number) =>
    clock === 0 ? "-" : [clock, processor].map((ms) => (ms / unit).toFixed(digits)).join(" / ");
  const gb = (n: number) => n === 0 ? "-" : (n / 1e9).toFixed(2);
  const { mapped, peak } = larger(drawing, decoding);
  const cells = [
    ...[name, size, both(open, 1, 0), both(first, 1000, 1)],
    ...[steps > 1 ? both(step, 1000, 1) : "-", both(decode, 1000, 1)],
    ...[gb(drawing.anonymous), decode.clock === 0 ? "-" : gb(decoding.anonymous)],
    ...[gb(mapped), gb(peak)],
  ];
  return `| ${cells.join(" | ")} |`;
}

async function main(args: string[]): Promise<number> {
  const { values, positionals: [folder] } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      families: { type: "string", default: "sd15,sd21,sdxl" },
      dtypes: { type: "string", default: "fp32,fp16" },
      containers: { type: "string", default: "folder,file" },
      sizes: { type: "string", default: "512" },
      steps: { type: "string", default: "1" },
      opens: { type: "string", default: "5" },
      "no-decode": { type: "boolean", default: false },
      sparse: { type: "boolean", default: false },
      "low-memory": { type: "boolean", default: false },
      use: { type: "string" },
      size: { type: "string", default: "512" },
      variant: { type: "string" },
    },
  });
  const steps = Number(values.steps);
  if (values.use !== undefined) {
    const { variant } = values, opens = Number(values.opens), size = Number(values.size);
    const lowMemory = values["low-memory"], decodes = !values["no-decode"];
    const use = { size, steps, opens, decodes, variant, lowMemory };
    console.log(JSON.stringify(await measure(values.use, use)));
    return 0;
  }
  if (folder === undefined) {
    console.error("Usage: containers.ts FOLDER [FLAGS]; see the file.");
    return 2;
  }
  console.log(HEADER + "\n" + "|---".repeat(10) + "|");
  for (const family of values.families.split(",") as Family[]) {
    for (const dtype of values.dtypes.split(",") as DType[]) {
      for (const container of values.containers.split(",")) {
        const place = join(folder, `${family}-${dtype}-${container}`);
        await Deno.mkdir(place, { recursive: true });
        try {
          const model = await make(place, family, dtype, container, values.sparse);
          const variant = dtype === "fp16" && container === "folder" ? { variant: "fp16" } : {};
          for (const size of values.sizes.split(",")) {
            const options = { size, steps: values.steps, opens: values.opens, ...variant };
            const switches = (["no-decode", "low-memory"] as const)
              .filter((name) => values[name]).map((name) => `--${name}`);
            const measured = await measureApart(model, options, switches);
            console.log(row(`${family} ${dtype} ${container}`, size, steps, measured));
          }
        } finally {
          await Deno.remove(place, { recursive: true });
        }
      }
    }
  }
  return 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
