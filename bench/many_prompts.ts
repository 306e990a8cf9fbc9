/**
 * Does a process that draws picture after picture stay as it is? A thousand prompts, all different,
 * on the embedded model: memory, time and processor time for each hundred, and the part of the time
 * that is not ONNX Runtime's.
 *
 *     deno run -A bench/many_prompts.ts [--count 1000] [--steps 4] [--batch 1] [--threads N]
 *
 * @module
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { Session } from "../ffi/session.ts";
import { StableDiffusion } from "../mod.ts";
import { DIGIT_WORDS } from "../training/embedded/palette.ts";

const { values: asked } = parseArgs({
  options: {
    count: { type: "string", default: "1000" },
    steps: { type: "string", default: "4" },
    batch: { type: "string", default: "1" },
    threads: { type: "string" },
  },
});
const count = Number(asked.count), steps = Number(asked.steps), batch = Number(asked.batch);

/** Milliseconds that were spent in ONNX Runtime's runs. */
let running = 0;
const { run } = Session.prototype;
Session.prototype.run = async function (...args) {
  const began = performance.now();
  try {
    return await run.apply(this, args);
  } finally {
    running += performance.now() - began;
  }
};

const COLORS = ["red", "green", "blue", "yellow", "purple", "white"];
const words = (i: number) => `picture ${i}: a ${COLORS[i % 6]} ${DIGIT_WORDS[i % 10]}`;

function* pictures() {
  for (let i = 0; i < count; i++) yield { prompt: words(i), seed: i, steps };
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);

/** What a stretch of pictures took, as a row. */
function row(name: string, of: number, since: { wall: number; processor: NodeJS.CpuUsage }) {
  const { rss, heapUsed } = Deno.memoryUsage(),
    { user, system } = process.cpuUsage(since.processor);
  const wall = performance.now() - since.wall;
  const cells = [
    ...[name, megabytes(rss), megabytes(heapUsed), (wall / of).toFixed(1)],
    ...[((user + system) / 1000 / of).toFixed(1), `${(100 * (1 - running / wall)).toFixed(1)} %`],
  ];
  console.log(`| ${cells.join(" | ")} |`);
}

console.log(`${count} prompts, ${steps} steps, batch ${batch}; load ${Deno.loadavg()[0]}\n`);
console.log("| pictures | RSS MB | heap MB | ms a picture | processor | outside ONNX Runtime |");
console.log("| -------: | -----: | ------: | -----------: | --------: | -------------------: |");
const now = () => ({ wall: performance.now(), processor: process.cpuUsage() });
await using sd = await StableDiffusion.open(
  undefined,
  asked.threads ? { threads: Number(asked.threads) } : {},
);
let since = now(), done = 0, begin = 0;
const ends = new Set([
  batch,
  2 * batch,
  ...Array.from({ length: 10 }, (_, i) => (i + 1) * count / 10),
]);
for await (const result of sd.generateMany(pictures(), { batch })) {
  if (result.status === "rejected") throw result.reason;
  if (!ends.has(++done)) continue;
  row(String(done), done - begin, since);
  [since, begin, running] = [now(), done, 0];
}
