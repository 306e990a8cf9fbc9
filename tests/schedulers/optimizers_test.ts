import assert from "node:assert/strict";
import { denoise } from "../../schedulers/denoise.ts";
import { type Level, varianceExploding } from "../../schedulers/level.ts";
import { schedulerFromConfig, type SchedulerOverrides } from "../../schedulers/scheduler.ts";
import { adamsBashforth } from "../../schedulers/solvers/adams_bashforth.ts";
import { dpmMultistep } from "../../schedulers/solvers/dpm_multistep.ts";
import { dpmpp2mV2 } from "../../schedulers/solvers/dpmpp_2m_v2.ts";
import { gradientEstimation } from "../../schedulers/solvers/gradient_estimation.ts";
import { heunPp2 } from "../../schedulers/solvers/heunpp2.ts";
import { ipndmV } from "../../schedulers/solvers/ipndm_v.ts";
import { network, START } from "./fake_network.ts";

const SD = {
  _class_name: "EulerDiscreteScheduler",
  beta_start: 0.00085,
  beta_end: 0.012,
  beta_schedule: "scaled_linear",
};
const planOf = (overrides: SchedulerOverrides, steps = 8) =>
  schedulerFromConfig(SD, overrides).plan({ steps });
const sum = (weights: readonly number[]) => weights.reduce((total, weight) => total + weight, 0);
const near = (a: number, b: number, error = 1e-12) =>
  assert.ok(Math.abs(a - b) <= error * Math.max(1, Math.abs(b)), `${a}, not ${b}`);

/** Where a plan ends with the closed-form network. */
async function endOf(overrides: SchedulerOverrides): Promise<Float32Array> {
  const plan = planOf(overrides);
  const sample = START.map((z) => z * plan.initialScale);
  for await (const _ of denoise(plan, sample, (x, { timestep }) => network(x, timestep)));
  return sample;
}

function assertNear(a: Float32Array, b: Float32Array, error: number): void {
  a.forEach((value, i) => near(value, b[i]!, error));
}

Deno.test("momentum 0 takes Euler's steps", async () => {
  assertNear(
    await endOf({ scheduler: "momentum", momentum: 0 }),
    await endOf({ scheduler: "euler" }),
    1e-5,
  );
});

for (const scheduler of ["momentum", "nesterov"]) {
  Deno.test(`${scheduler} goes as far as Euler in every step, whatever it remembers`, () => {
    for (const momentum of [0.9, 0.3, -0.5]) {
      const { stages } = planOf({ scheduler, momentum });
      stages.forEach(({ next, sigma }, i) => {
        near(sum(next.results), (stages[i + 1]?.sigma ?? 0) - sigma);
      });
      assert.equal(stages.at(-1)!.next.results.length, 1, "the last step is Euler's");
    }
  });
}

Deno.test("momentum m makes directions m / (1 - m) steps old, Nesterov's m^2 / (1 - m)", () => {
  const age = (scheduler: string, momentum: number) => {
    const { results } = planOf({ scheduler, momentum }, 200).stages[190]!.next;
    return sum(results.map((weight, k) => weight * k)) / sum(results);
  };
  for (const m of [0.9, 0.3, -0.5]) {
    near(age("momentum", m), m / (1 - m), 1e-5);
    near(age("nesterov", m), m * m / (1 - m), 1e-5);
  }
});

Deno.test("momentum forgets what float32 could not notice", () => {
  const lengths = planOf({ scheduler: "momentum", momentum: 0.3 }, 500).stages
    .map(({ next }) => next.results.length);
  assert.equal(Math.max(...lengths), 15);
});

Deno.test("learning rates end at the level's own, but for constant ones", () => {
  const factors = (learningRateSchedule: string) => {
    const overrides = { momentum: 0, learningRate: 1.5, learningRateSchedule };
    const { stages } = planOf({ scheduler: "momentum", ...overrides }, 11);
    return stages.map(({ next, sigma }, i) =>
      next.results[0]! / ((stages[i + 1]?.sigma ?? 0) - sigma)
    );
  };
  [1.5, 1.45, 1.25, 1.05, 1].forEach((factor, k) => {
    near(factors("linear")[[0, 1, 5, 9, 10][k]!]!, factor);
  });
  [1.5, 1.25, 1].forEach((factor, k) => near(factors("cosine")[5 * k]!, factor));
  [1.5, 1.5, 1].forEach((factor, k) => near(factors("constant")[5 * k]!, factor));
});

Deno.test("RMSprop with no floor moves every element equally far in its first step", async () => {
  const plan = planOf({ scheduler: "rmsprop", adamEpsilon: 0 });
  const sample = START.map((z) => z * plan.initialScale);
  const before = sample.slice();
  await denoise(plan, sample, (x, { timestep }) => network(x, timestep)).next();
  const fall = plan.stages[0]!.sigma - plan.stages[1]!.sigma;
  sample.forEach((value, i) => near(Math.abs(value - before[i]!), fall, 1e-5));
});

Deno.test("Adam divides by the running size of the noise, as its row says", async () => {
  const plan = planOf({ scheduler: "adam", momentum: 0.5, squareMomentum: 0.9, adamEpsilon: 0.1 });
  const noises = [3, -1];
  const sample = Float32Array.of(10);
  const run = denoise(plan, sample, (_x, _stage, index) => Float32Array.of(noises[index]!));
  const [s0, s1, s2] = plan.stages.map((stage) => stage.sigma);
  await run.next();
  // The first mean square is corrected to the square itself: a size of 3.
  let expected = 10 + (s1! - s0!) * 3 * 1.1 / (3 + 0.1);
  near(sample[0]!, expected, 1e-6);
  await run.next();
  const square = (0.9 * 0.1 * 9 + 0.1 * 1) / (1 - 0.9 ** 2);
  const mean = (-1 + 0.5 * 3) / 1.5;
  expected += (s2! - s1!) * mean * 1.1 / (Math.sqrt(square) + 0.1);
  near(sample[0]!, expected, 1e-6);
});

Deno.test("Adam with a large epsilon is momentum", async () => {
  const momentum = 0.4;
  assertNear(
    await endOf({ scheduler: "adam", momentum, adamEpsilon: 1e9 }),
    await endOf({ scheduler: "momentum", momentum }),
    1e-6,
  );
});

Deno.test("optimizers refuse options that mean nothing", () => {
  const refuses = (overrides: SchedulerOverrides, why: RegExp) =>
    assert.throws(() => schedulerFromConfig(SD, overrides), why);
  refuses({ scheduler: "momentum", momentum: 1 }, /momentum.*-0.999 to 0.999/);
  refuses({ scheduler: "momentum", adamEpsilon: 0.5 }, /adamEpsilon with Momentum.*Adam, RMSprop/);
  refuses({ scheduler: "adam", adamEpsilon: -1 }, /0 or more/);
  refuses({ scheduler: "adam", learningRateSchedule: "step" }, /constant, linear, cosine/);
  refuses({ scheduler: "euler", momentum: 0.5 }, /momentum with EulerDiscreteScheduler/);
});

/** Falling evenly, or evenly in log sigma. */
const even = Array.from({ length: 9 }, (_, i) => varianceExploding(0, 9 - i));
const evenInLog = Array.from({ length: 9 }, (_, i) => varianceExploding(0, 2 ** (3 - i)));

function assertEqualRows(
  a: readonly { next: { start: number; results: readonly number[] } }[],
  b: typeof a,
  from = 0,
): void {
  assert.equal(a.length, b.length);
  for (let i = from; i < a.length; i++) {
    const [{ start, results }, other] = [a[i]!.next, b[i]!.next];
    assert.equal(results.length, other.results.length);
    [start, ...results].forEach((weight, k) => near(weight, [other.start, ...other.results][k]!));
  }
}

Deno.test("ipndmV with even steps has Adams and Bashforth's weights up to third order", () => {
  assertEqualRows(ipndmV(even, 0).slice(0, 3), adamsBashforth(even, 0).slice(0, 3));
  // Its fourth order is published with a plus that should be a minus: 11/24 instead of 9/24.
  const { results } = ipndmV(even, 0)[4]!.next;
  near(sum(results), -1);
  near(results[3]!, 11 / 24);
});

Deno.test("gradientEstimation with gamma 1.5 and even steps is second order Adams-Bashforth", () => {
  const [, second] = gradientEstimation(even, 1.5);
  assertEqualRows([second!], [adamsBashforth(even, 0)[1]!]);
  const [first] = gradientEstimation(even, 2);
  assert.deepEqual(first!.next.results, [-1]);
});

Deno.test("dpmpp2mV2 with even steps in log sigma is DPM++ 2M", () => {
  const options = { algorithm: "dpmsolver++", order: 2, midpoint: true, limit: () => 2 } as const;
  assertEqualRows(dpmpp2mV2(evenInLog), dpmMultistep(evenInLog, 0, options));
});

Deno.test("heunPp2 asks three times a step, then twice, then once, with weights by sigma", () => {
  const levels: Level[] = [8, 4, 2, 0].map((sigma) => varianceExploding(0, sigma));
  const calls = heunPp2(levels);
  assert.deepEqual(calls.map(({ level }) => level.noise), [8, 4, 2, 4, 2, 2]);
  assert.deepEqual(calls.map(({ advance }) => advance), [false, false, true, false, true, true]);
  // (4 / 24, 2 / 24, rest) of a move of -4, newest first.
  [-4 * 2 / 24, -4 * 4 / 24, -4 * 18 / 24].forEach((weight, k) => {
    near(calls[2]!.next.results[k]!, weight);
  });
  [-2 * 2 / 16, -2 * 14 / 16].forEach((weight, k) => near(calls[4]!.next.results[k]!, weight));
});
