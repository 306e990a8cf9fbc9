/**
 * What do cheaper steps cost, and how far off is what they draw? Each setting draws the same
 * pictures of the embedded model as the full run; the rounds alternate.
 *
 *     deno run -A bench/cheaper_steps.ts [--pictures 20] [--steps 25] [--scheduler NAME]
 *         [--rounds 2] [--only "NAME;NAME"]
 *
 * @module
 */

import { cpuUsage } from "node:process";
import { parseArgs } from "node:util";
import { type GenerateOptions, type Image, StableDiffusion } from "../mod.ts";
import { DIGIT_WORDS } from "../training/embedded/palette.ts";
import { median, psnr } from "./peers/compare.ts";
import { machine } from "./peers/machine.ts";
import { table } from "./peers/table.ts";

const { values } = parseArgs({
  options: {
    pictures: { type: "string", default: "20" },
    steps: { type: "string", default: "25" },
    rounds: { type: "string", default: "2" },
    scheduler: { type: "string", default: "DPM++ 2M" },
    only: { type: "string" },
  },
});

const cached = (interval: number, start: number, depth = 1): Partial<GenerateOptions> => ({
  stepCache: { interval, start, depth },
});

/** What is compared with the full run, by name. */
const SETTINGS: Record<string, Partial<GenerateOptions>> = {
  "every 2nd": cached(2, 0),
  "every 3rd": cached(3, 0),
  "every 2nd, depth 3": cached(2, 0, 3),
  "every 3rd, depth 3": cached(3, 0, 3),
  "every 5th, depth 3": cached(5, 0, 3),
  "0.2, then every 3rd": cached(3, 0.2),
  "0.2, then every 5th": cached(5, 0.2),
  "0.24, then every 6th": cached(6, 0.24),
  "0.3, then every 5th": cached(5, 0.3),
  "0.3, then every 10th": cached(10, 0.3),
  "0.2, then every 5th, depth 2": cached(5, 0.2, 2),
  "0.2, then every 5th, depth 3": cached(5, 0.2, 3),
  "0.2, then every 5th, depth 4": cached(5, 0.2, 4),
};

for (const [start, end] of [[0, 0.5], [0, 0.75], [0.2, 1]] as const) {
  SETTINGS[`guidance ${start} to ${end}`] = { guidanceInterval: [start, end] };
}
for (const tokenMerging of [0.25, 0.5]) {
  SETTINGS[`token merging ${tokenMerging}`] = { tokenMerging };
}
SETTINGS["0.2, then every 5th + guidance 0 to 0.75"] = {
  ...cached(5, 0.2),
  guidanceInterval: [0, 0.75],
};
SETTINGS["0.2, then every 3rd + guidance 0 to 0.75"] = {
  ...cached(3, 0.2),
  guidanceInterval: [0, 0.75],
};

const INKS = ["red", "green", "blue", "yellow", "white", "black"];
const BACKGROUNDS = ["blue", "purple", "green", "white", "black", "yellow", "red"];

/** Prompts that differ in digit and colours, with a seed each. */
const jobs = Array.from({ length: Number(values.pictures) }, (_, i): GenerateOptions => ({
  prompt: `a ${INKS[i % 6]} ${DIGIT_WORDS[i % 10]} on a ${BACKGROUNDS[(i * 3 + 1) % 7]} background`,
  seed: i,
  steps: Number(values.steps),
  scheduler: values.scheduler,
  metadata: false,
}));

await using sd = await StableDiffusion.open(undefined, { threads: 1 });

/** Processor milliseconds, without what went before: the U-Net's sessions are there. */
async function draw(job: GenerateOptions): Promise<{ image: Image; ms: number }> {
  const before = cpuUsage(), image = await sd.generate(job), used = cpuUsage(before);
  return { image, ms: (used.user + used.system) / 1000 };
}

const wanted = values.only?.split(";");
const names = Object.keys(SETTINGS).filter((name) => wanted?.includes(name) ?? true);
const times = new Map<string, number[]>(), apart = new Map<string, number[]>();
const note = (map: Map<string, number[]>, name: string, value: number) =>
  map.set(name, [...map.get(name) ?? [], value]);

for (const job of jobs) {
  for (let round = 0; round < Number(values.rounds); round++) {
    const full = await draw(job);
    note(times, "full", full.ms);
    for (const name of names) {
      const { image, ms } = await draw({ ...job, ...SETTINGS[name] });
      note(times, name, ms);
      if (round === 0) note(apart, name, Math.min(99, psnr(full.image, image)));
    }
  }
}

const mean = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b) / numbers.length;
const whole = times.get("full")!;
const rows = ["full", ...names].map((name) => {
  const ms = times.get(name)!, db = apart.get(name);
  return [
    name,
    Math.min(...ms).toFixed(0),
    median(ms).toFixed(0),
    (Math.min(...ms) / Math.min(...whole)).toFixed(2),
    (median(ms) / median(whole)).toFixed(2),
    db ? mean(db).toFixed(1) : "",
    db ? Math.min(...db).toFixed(1) : "",
  ];
});
const head = ["", "ms, min", "median", "ratio, min", "median", "PSNR, mean", "least"];
const about =
  `${values.pictures} pictures, ${values.steps} steps of ${values.scheduler}, guidance ` +
  `scale 7.5, one thread; processor milliseconds a picture, ${values.rounds} alternating rounds.`;
console.log(await machine(`bench/cheaper_steps.ts ${Deno.args.join(" ")}`));
console.log(`${about}\n\n${table(head, rows)}`);
