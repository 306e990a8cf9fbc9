/**
 * How long does a picture take when several go through the U-Net together? The embedded model, or
 * `--model DIR`; each batch size in turn, round after round, so that a machine that slows down slows
 * all of them. Checks on the way that every picture is the one drawn alone.
 *
 *     deno run -A bench/batch.ts [--model DIR] [--size PIXELS] [--steps 10] [--rounds 5]
 *     deno run -A bench/batch.ts --python BIN     # diffusers beside it, the same model in float32
 *
 * @module
 */

import process from "node:process";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type GenerateOptions, StableDiffusion } from "../mod.ts";
import { DIGIT_WORDS } from "../training/embedded/palette.ts";
import { median } from "./peers/compare.ts";

const { values: asked } = parseArgs({
  options: {
    model: { type: "string" },
    size: { type: "string" },
    steps: { type: "string", default: "10" },
    rounds: { type: "string", default: "5" },
    batches: { type: "string", default: "1,2,4,8,16" },
    threads: { type: "string" },
    python: { type: "string" },
  },
});

const COLORS = ["red", "green", "blue", "yellow", "purple", "white"];

/** One way to draw, with the seconds that a picture took in each round. */
interface Contestant {
  readonly name: string;
  readonly batch: number;
  /** Draws `batch` pictures; says how many seconds of processor time that took. */
  readonly draw: () => Promise<number>;
  readonly wall: number[];
  readonly processor: number[];
}

function pictures(count: number): GenerateOptions[] {
  return Array.from({ length: count }, (_, i) => ({
    prompt: `a ${COLORS[i % 6]} ${DIGIT_WORDS[i % 10]}`,
    seed: i,
    steps: Number(asked.steps),
    scheduler: "DDIM",
    ...(asked.size && { width: Number(asked.size), height: Number(asked.size) }),
  }));
}

function ours(sd: StableDiffusion, batch: number): Contestant {
  const draw = async () => {
    const before = process.cpuUsage();
    for await (const result of sd.generateMany(pictures(batch), { batch })) {
      if (result.status === "rejected") throw result.reason;
    }
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1e6;
  };
  return { name: "latent", batch, draw, wall: [], processor: [] };
}

/** Draws by diffusers in a child process that obeys one line at a time. */
function diffusers(python: string, batch: number): Contestant & Disposable {
  const script = fileURLToPath(new URL("./peers/digits_peer.py", import.meta.url));
  const model = asked.model ?? fileURLToPath(new URL("../assets/digits", import.meta.url));
  const child = new Deno.Command(python, {
    args: [script, model, asked.steps, String(batch)],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const writer = child.stdin.getWriter();
  const lines = createInterface({ input: Readable.fromWeb(child.stdout as never) });
  const answers = lines[Symbol.asyncIterator]();
  const draw = async () => {
    await writer.write(new TextEncoder().encode("\n"));
    const { value, done } = await answers.next();
    if (done) throw new Error("Cannot measure diffusers: its process has ended.");
    return Number(value);
  };
  return {
    ...{ name: "diffusers", batch, draw, wall: [], processor: [] },
    [Symbol.dispose]: () => child.kill(),
  };
}

/** Throws where a picture of a batch is not the picture drawn alone. */
async function assertSame(sd: StableDiffusion, batch: number): Promise<void> {
  let i = 0;
  for await (const result of sd.generateMany(pictures(batch), { batch })) {
    if (result.status === "rejected") throw result.reason;
    const alone = await sd.generate(pictures(batch)[i++]!), { value: { data } } = result;
    if (alone.data.every((value, k) => value === data[k])) continue;
    throw new Error(`Picture ${i} of a batch of ${batch} differs from the one drawn alone.`);
  }
}

await using sd = await StableDiffusion.open(
  asked.model,
  asked.threads ? { threads: Number(asked.threads) } : {},
);
const contestants: Contestant[] = [];
for (const batch of asked.batches.split(",").map(Number)) {
  contestants.push(ours(sd, batch));
  if (batch > 1) await assertSame(sd, batch);
}
using peers = new DisposableStack();
if (asked.python) {
  for (const batch of [1, 8]) contestants.push(peers.use(diffusers(asked.python, batch)));
}
for (const { draw } of contestants) await draw();
for (let round = 0; round < Number(asked.rounds); round++) {
  for (const { draw, batch, wall, processor } of contestants) {
    const began = performance.now(), spent = await draw();
    wall.push((performance.now() - began) / batch);
    processor.push(1000 * spent / batch);
  }
}
console.log(`${asked.rounds} rounds, ${asked.steps} steps, guidance; load ${Deno.loadavg()[0]}\n`);
console.log("|         | batch | ms a picture, min | median | processor, min | pictures/s |");
console.log("| ------- | ----: | ----------------: | -----: | -------------: | ---------: |");
for (const { name, batch, wall, processor } of contestants) {
  const least = Math.min(...wall),
    [ms, half, cpu] = [least, median(wall), Math.min(...processor)]
      .map((value) => value.toFixed(1));
  const cells = [name, batch, ms, half, cpu, (1000 / least).toFixed(2)];
  console.log(`| ${cells.join(" | ")} |`);
}
