/**
 * Do the ideas of optimizers help a sampler? How far runs of 5, 10, 20 and 50 calls of the network end
 * from where a run of 1000 steps ends: momentum, Nesterov, RMSprop, Adam and learning rates beside the
 * usual samplers.
 *
 *     deno run -A bench/optimizers.ts            # both problems
 *     deno run -A bench/optimizers.ts mixture    # needs no model and no library
 *     deno run -A bench/optimizers.ts digits [--model DIR]
 *
 * (a) A mixture of eight Gaussians in the plane, whose score is a formula: mean distance of 1000 points.
 * (b) The digits model: root mean square distance of the latents. All runs begin in the same noise and
 * end at none; sigmas are Karras's over the whole noise table, but for DDIM, which has its timesteps
 * ("linspace", exact steps). The reference is DPM-Solver++ (2M) with 1000 steps.
 */
import { parseArgs } from "node:util";
import { StableDiffusion } from "../mod.ts";
import { denoise } from "../schedulers/denoise.ts";
import type { Plan, Stage } from "../schedulers/plan.ts";
import { TorchCpuGenerator } from "../schedulers/random/torch_cpu.ts";
import { schedulerFromConfig, type SchedulerOverrides } from "../schedulers/scheduler.ts";

const CALLS = [5, 10, 20, 50] as const;

/** One row of the table: how it is made, and how many steps a number of calls buys. */
interface Sampler {
  readonly label: string;
  readonly overrides: SchedulerOverrides;
  readonly steps?: (calls: number) => number;
}

const named = (label: string, overrides: SchedulerOverrides): Sampler => ({ label, overrides });

const momentum = (beta: number) =>
  named(`momentum ${beta}`, { scheduler: "momentum", momentum: beta });
const nesterov = (beta: number) =>
  named(`nesterov ${beta}`, { scheduler: "nesterov", momentum: beta });
const rate = (schedule: string, learningRate: number) =>
  named(`learning rate ${learningRate}, ${schedule}`, {
    scheduler: "momentum",
    momentum: 0,
    learningRate,
    learningRateSchedule: schedule,
  });
const adam = (beta: number, adamEpsilon: number) =>
  named(`adam ${beta}, epsilon ${adamEpsilon}`, { scheduler: "adam", momentum: beta, adamEpsilon });
const rmsprop = (adamEpsilon: number) =>
  named(`rmsprop, epsilon ${adamEpsilon}`, { scheduler: "rmsprop", adamEpsilon });

const REFERENCE = named("reference", { scheduler: "dpm++2m" });

/** What both problems compare. */
const SAMPLERS: readonly Sampler[] = [
  named("Euler", { scheduler: "euler" }),
  named("DDIM", { scheduler: "ddim", exactSteps: true }),
  { ...named("Heun", { scheduler: "heun" }), steps: (calls) => Math.floor((calls + 1) / 2) },
  named("DPM++ 2M", { scheduler: "dpm++2m" }),
  named("UniPC", { scheduler: "unipc" }),
  ...[0.9, 0.6, 0.3, -0.3, -0.5].map(momentum),
  ...[0.6, 0.3].map(nesterov),
  named("gradient estimation 1.5", { scheduler: "gradient_estimation", geGamma: 1.5 }),
  named("gradient estimation 2", { scheduler: "gradient_estimation", geGamma: 2 }),
  rate("linear", 0.8),
  rate("cosine", 1.2),
  rmsprop(1),
  rmsprop(10),
  adam(0.9, 0.01),
  adam(0.3, 1),
  adam(-0.5, 10),
];

/** A sampler on the levels that all are compared on. */
function overridesOf({ overrides }: Sampler): SchedulerOverrides {
  const levels = overrides.scheduler === "ddim" ? {} : { sigmaSchedule: "karras" as const };
  return { ...overrides, ...levels, timestepSpacing: "linspace" };
}

/** Size of the noise that every run begins in, so that all begin at the same point. */
const startOf = (plan: Plan): number => plan.stages[0]!.level.noise;

/** A way to end a run of a sampler, and its distance from where another ended. */
interface Problem {
  readonly title: string;
  readonly end: (sampler: Sampler, steps: number) => Promise<Float32Array>;
  readonly distance: (a: Float32Array, b: Float32Array) => number;
}

async function report({ title, end, distance }: Problem): Promise<void> {
  const reference = await end(REFERENCE, 1000);
  console.log(`\n${title}\n`);
  console.log(`| sampler | ${CALLS.map((calls) => `${calls} calls`).join(" | ")} |`);
  console.log(`| --- |${" ---: |".repeat(CALLS.length)}`);
  for (const sampler of SAMPLERS) {
    const cells = [];
    for (const calls of CALLS) {
      const result = await end(sampler, sampler.steps?.(calls) ?? calls);
      cells.push(distance(result, reference).toPrecision(3));
    }
    console.log(`| ${sampler.label} | ${cells.join(" | ")} |`);
  }
}

const SD = {
  _class_name: "EulerDiscreteScheduler",
  beta_start: 0.00085,
  beta_end: 0.012,
  beta_schedule: "scaled_linear",
  clip_sample: false,
};

/** Eight Gaussians on a circle, of variance 1 in all, like latents. */
const MODES = Array.from({ length: 8 }, (_, k) => {
  const angle = Math.PI * (2 * k + 1) / 8;
  return { x: 1.4 * Math.cos(angle), y: 1.4 * Math.sin(angle) };
});
const SPREAD = 0.15;

/** The noise expected in points [n, 2] by someone who knows the mixture. */
function mixtureNoise(input: Float32Array, { inputScale, level, sigma }: Stage): Float32Array {
  const out = new Float32Array(input.length);
  const variance = SPREAD ** 2 + sigma ** 2;
  for (let i = 0; i < input.length; i += 2) {
    const [x, y] = [0, 1].map((k) => input[i + k]! / inputScale / level.signal) as [number, number];
    const exponents = MODES.map((m) => -((x - m.x) ** 2 + (y - m.y) ** 2) / (2 * variance));
    const top = Math.max(...exponents);
    const weights = exponents.map((exponent) => Math.exp(exponent - top));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const mean = (axis: "x" | "y") =>
      MODES.reduce((sum, mode, k) => sum + mode[axis] * weights[k]!, 0) / total;
    // E[z | x] = sigma (x - mode) / variance, averaged over the modes.
    out[i] = sigma * (x - mean("x")) / variance;
    out[i + 1] = sigma * (y - mean("y")) / variance;
  }
  return out;
}

function mixture(points: number): Problem {
  const noise = new TorchCpuGenerator(1).normal(2 * points);
  return {
    title: "Mixture of eight Gaussians, known score: mean distance from the reference's ends",
    async end(sampler, steps) {
      const plan = schedulerFromConfig(SD, overridesOf(sampler)).plan({ steps });
      const sample = noise.map((z) => z * startOf(plan));
      for await (const _ of denoise(plan, sample, mixtureNoise));
      return sample;
    },
    distance(a, b) {
      let sum = 0;
      for (let i = 0; i < a.length; i += 2) sum += Math.hypot(a[i]! - b[i]!, a[i + 1]! - b[i + 1]!);
      return sum / points;
    },
  };
}

function digits(sd: StableDiffusion, prompts: readonly string[], guidanceScale: number): Problem {
  const draw = async (prompt: string, seed: number, sampler: Sampler, steps: number) => {
    const { scheduler = "", ...schedulerOptions } = overridesOf(sampler);
    const options = { prompt, seed, steps, guidanceScale, scheduler, schedulerOptions };
    const plan = sd.plan(options);
    const { data } = sd.startingNoise(sd.settings(options));
    const noise = data.map((z) => z * startOf(plan) / plan.initialScale);
    let end: Float32Array = noise;
    for await (const { latents } of sd.denoise({ ...options, noise })) end = latents.data;
    return end;
  };
  return {
    title: `Digits, guidance scale ${guidanceScale}: root mean square distance of latents`,
    async end(sampler, steps) {
      const ends = [];
      for (const [seed, prompt] of prompts.entries()) {
        ends.push(...await draw(prompt, seed, sampler, steps));
      }
      return Float32Array.from(ends);
    },
    distance: (a, b) => Math.sqrt(a.reduce((sum, x, i) => sum + (x - b[i]!) ** 2, 0) / a.length),
  };
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    args: Deno.args,
    options: { model: { type: "string" } },
    allowPositionals: true,
  });
  const wanted = (part: string) => positionals.length === 0 || positionals.includes(part);
  if (wanted("mixture")) await report(mixture(1000));
  if (wanted("digits")) {
    await using sd = await StableDiffusion.open(values.model, { threads: 1 });
    const prompts = ["a red seven on a blue background", "a green three"];
    for (const scale of [1, 7.5]) await report(digits(sd, prompts, scale));
  }
}
