import assert from "node:assert/strict";
import { denoise } from "../../schedulers/denoise.ts";
import {
  type Level,
  sigma,
  varianceExploding,
  variancePreserving,
} from "../../schedulers/level.ts";
import type { Basis, Call, Row } from "../../schedulers/plan.ts";
import { RECIPES } from "../../schedulers/recipes/all.ts";
import { schedulerFromConfig } from "../../schedulers/scheduler.ts";
import { adamsBashforth } from "../../schedulers/solvers/adams_bashforth.ts";
import { ddim } from "../../schedulers/solvers/ddim.ts";
import { deis } from "../../schedulers/solvers/deis.ts";
import { dpm2 } from "../../schedulers/solvers/dpm2.ts";
import { dpmFast } from "../../schedulers/solvers/dpm_fast.ts";
import { dpmMultistep } from "../../schedulers/solvers/dpm_multistep.ts";
import { blockOrders, dpmSinglestep } from "../../schedulers/solvers/dpm_singlestep.ts";
import { dpmpp2sAncestral } from "../../schedulers/solvers/dpmpp_2s_ancestral.ts";
import { dpmpp3mSde } from "../../schedulers/solvers/dpmpp_3m_sde.ts";
import { euler } from "../../schedulers/solvers/euler.ts";
import { gradientEstimation } from "../../schedulers/solvers/gradient_estimation.ts";
import { heun } from "../../schedulers/solvers/heun.ts";
import { heunPp2 } from "../../schedulers/solvers/heunpp2.ts";
import { ipndmV } from "../../schedulers/solvers/ipndm_v.ts";
import { integrateLagrange, lms } from "../../schedulers/solvers/lms.ts";
import { optimizer } from "../../schedulers/solvers/optimizer.ts";
import { alongNoise } from "../../schedulers/solvers/straight.ts";
import { uniPc } from "../../schedulers/solvers/unipc.ts";

/** Data N(MEAN, WIDTH^2), for which the best denoiser and the path of every sample are known. */
const MEAN = 0.7;
const WIDTH = 0.5;

/** The clean value expected at relative noise `s` for a sample `x` whose signal is 1. */
function gaussianDenoised(x: number, s: number): number {
  return (WIDTH ** 2 * x + s ** 2 * MEAN) / (WIDTH ** 2 + s ** 2);
}

/** Where the probability flow takes `x` from relative noise `from` to `to` (signal 1). */
function gaussianFlow(x: number, from: number, to: number): number {
  return MEAN + (x - MEAN) * Math.sqrt((WIDTH ** 2 + to ** 2) / (WIDTH ** 2 + from ** 2));
}

/** Runs a solver's calls on one number in float64 with the Gaussian's denoiser. */
function runScalar(calls: readonly Call[], x0: number, basis: Basis): number {
  let [x, start, begins] = [x0, x0, true];
  const results: number[] = [];
  const apply = (row: Row) =>
    row.start * start + row.results.reduce((sum, weight, k) => sum + weight * results[k]!, 0);
  for (const { level, correct, next, advance } of calls) {
    if (begins && !correct) start = x;
    const clean = gaussianDenoised(x / level.signal, sigma(level));
    results.unshift(basis === "denoised" ? clean : (x - level.signal * clean) / level.noise);
    if (correct) start = apply(correct);
    x = apply(next);
    begins = advance;
  }
  return x;
}

type Make = (timestep: number, sigma: number) => Level;

/** n + 1 levels evenly spaced in log sigma from 10 to 0.5. */
function levelsOf(n: number, make: Make = varianceExploding): Level[] {
  return Array.from({ length: n + 1 }, (_, i) => make(0, 10 * (0.5 / 10) ** (i / n)));
}

/** The error that `n` steps make on the Gaussian. */
function errorOf(
  solver: (levels: Level[]) => Call[],
  basis: Basis,
  n: number,
  make?: Make,
): number {
  const levels = levelsOf(n, make);
  const [first, last] = [levels[0]!, levels[n]!];
  const exact = gaussianFlow(3, sigma(first), sigma(last));
  const end = runScalar(solver(levels), 3 * first.signal, basis);
  return Math.abs(end / last.signal - exact);
}

const free = { limit: () => 9, midpoint: true };
const middles = (levels: Level[]) =>
  dpm2(
    levels.slice(0, -2).map((from, i) => {
      const to = levels[i + 1]!;
      return { from, to, middle: varianceExploding(0, Math.sqrt(sigma(from) * sigma(to))) };
    }),
    { from: levels.at(-2)!, to: levels.at(-1)! },
  );
const singlestep = (order: number) => (levels: Level[]) =>
  dpmSinglestep(levels, 0, {
    algorithm: "dpmsolver++",
    midpoint: false,
    orders: blockOrders(levels.length - 1, order, false),
  });

const optimized = (options: { momentum: number; nesterov: boolean }) => (levels: Level[]) =>
  optimizer(levels, { ...options, learningRate: () => 1 });
/** As many blocks of three as the levels' steps hold, and a call more. */
const fast = (levels: Level[]) => {
  const calls = levels.length - 1 - (levels.length - 1) % 3 + 1;
  const to = sigma(levels.at(-1)!);
  return dpmFast({ from: levels[0]!, to, calls }, 0, (at) => varianceExploding(0, at));
};

/**
 * [name, solver, what it remembers, order of convergence]. The "third order" multistep forms are
 * second order as published: they weigh the second difference by half of what a third would need. DEIS's
 * third order shows the error of its first step, which is Euler's.
 */
const ORDERS: readonly [string, (levels: Level[]) => Call[], Basis, number][] = [
  ["euler", euler, "denoised", 1],
  ["heun", (levels) => heun(levels, alongNoise), "epsilon", 2],
  ["dpm2", middles, "epsilon", 2],
  ["lms", (levels) => lms(levels, 0), "epsilon", 2],
  ["adamsBashforth", (levels) => adamsBashforth(levels, 0), "epsilon", 1],
  [
    "dpmpp2sAncestral without noise",
    (levels) => dpmpp2sAncestral(levels, 0, (s) => varianceExploding(0, s)),
    "denoised",
    2,
  ],
  ["momentum", optimized({ momentum: 0.3, nesterov: false }), "epsilon", 1],
  ["nesterov", optimized({ momentum: 0.3, nesterov: true }), "epsilon", 1],
  ["gradientEstimation", (levels) => gradientEstimation(levels, 2), "epsilon", 1],
  ["heunPp2", heunPp2, "epsilon", 1],
  ["ipndmV", (levels) => ipndmV(levels, 0), "epsilon", 2],
  // Its last step is Euler's, as long as the others.
  ["dpmFast", fast, "epsilon", 2],
  ["dpmpp3mSde without noise", (levels) => dpmpp3mSde(levels, 0), "denoised", 2],
  [
    "dpmMultistep order 1",
    (levels) => dpmMultistep(levels, 0, { algorithm: "dpmsolver++", order: 1, ...free }),
    "denoised",
    1,
  ],
  [
    "dpmMultistep order 2",
    (levels) => dpmMultistep(levels, 0, { algorithm: "dpmsolver++", order: 2, ...free }),
    "denoised",
    2,
  ],
  [
    "dpmMultistep order 3",
    (levels) => dpmMultistep(levels, 0, { algorithm: "dpmsolver++", order: 3, ...free }),
    "denoised",
    2,
  ],
  [
    "dpmMultistep order 3 of the noise",
    (levels) => dpmMultistep(levels, 0, { algorithm: "dpmsolver", order: 3, ...free }),
    "epsilon",
    2,
  ],
  ["dpmSinglestep order 2", singlestep(2), "denoised", 2],
  ["dpmSinglestep order 3", singlestep(3), "denoised", 3],
  ["deis order 2", (levels) => deis(levels, 0, { order: 2, ...free }), "epsilon", 2],
  ["deis order 3", (levels) => deis(levels, 0, { order: 3, ...free }), "epsilon", 2.7],
  ...[true, false].flatMap((predictX0) =>
    [2, 3].map((order): typeof ORDERS[number] => [
      `uniPc order ${order} of the ${predictX0 ? "picture" : "noise"}`,
      (levels) => uniPc(levels, 0, { order, bh1: false, predictX0, uncorrected: [], ...free }),
      predictX0 ? "denoised" : "epsilon",
      order,
    ])
  ),
];

/** Solvers that know no other coordinates. */
const SIGMA_SPACE = new Set(["dpmFast", "heunPp2", "ipndmV"]);

for (const [name, solver, basis, order] of ORDERS) {
  Deno.test(`${name} divides its error by about 2^${order} when steps are halved`, () => {
    for (const make of [varianceExploding, variancePreserving]) {
      if (name.startsWith("dpm2") || name.startsWith("dpmpp") || SIGMA_SPACE.has(name)) {
        if (make === variancePreserving) continue; // solvers of sigma space alone
      }
      const ratio = errorOf(solver, basis, 160, make) / errorOf(solver, basis, 320, make);
      assert.ok(Math.log2(ratio) > order - 0.35, `measured order ${Math.log2(ratio).toFixed(2)}`);
    }
  });
}

Deno.test("euler in sigma space and ddim without noise take the same steps", () => {
  const scaled = levelsOf(12, variancePreserving);
  const transitions = scaled.slice(0, -1).map((from, i) => ({ from, to: scaled[i + 1]! }));
  const steps = ddim(transitions, { eta: 0, clipped: false });
  const plain = euler(levelsOf(12));
  const a = runScalar(steps, 3 * scaled[0]!.signal, "denoised") / scaled[12]!.signal;
  assert.ok(Math.abs(a - runScalar(plain, 3, "denoised")) < 1e-13);
});

Deno.test("euler and ddim have equal rows at equal levels", () => {
  const levels = levelsOf(5, variancePreserving);
  const transitions = levels.slice(0, -1).map((from, i) => ({ from, to: levels[i + 1]! }));
  for (const [i, call] of ddim(transitions, { eta: 0, clipped: false }).entries()) {
    const other = euler(levels)[i]!.next;
    assert.ok(Math.abs(call.next.start - other.start) < 1e-14);
    assert.ok(Math.abs(call.next.results[0]! - other.results[0]!) < 1e-14);
  }
});

Deno.test("dpmMultistep with one step is euler", () => {
  const levels = levelsOf(1);
  const [call] = dpmMultistep(levels, 0, { algorithm: "dpmsolver++", order: 2, ...free });
  const [other] = euler(levels);
  assert.ok(Math.abs(call!.next.start - other!.next.start) < 1e-15);
  assert.ok(Math.abs(call!.next.results[0]! - other!.next.results[0]!) < 1e-15);
});

Deno.test("ddim with eta 1 keeps the variance of the next level", () => {
  const levels = levelsOf(4, variancePreserving);
  const transitions = levels.slice(0, -1).map((from, i) => ({ from, to: levels[i + 1]! }));
  for (const [i, { next }] of ddim(transitions, { eta: 1, clipped: false }).entries()) {
    const kept = next.start * levels[i]!.noise;
    const total = Math.hypot(kept, next.noise![0]!);
    assert.ok(Math.abs(total - levels[i + 1]!.noise) < 1e-12);
  }
});

Deno.test("integrateLagrange() weighs constants by the length and lines by their middle", () => {
  const nodes = [3, 5, 8, 12];
  const weights = integrateLagrange(nodes, 3, 2);
  const sum = (power: number) => weights.reduce((s, w, k) => s + w * nodes[k]! ** power, 0);
  assert.ok(Math.abs(sum(0) + 1) < 1e-12);
  assert.ok(Math.abs(sum(1) - (4 - 9) / 2) < 1e-12);
  assert.ok(Math.abs(sum(3) - (16 - 81) / 4) < 1e-10);
});

/** Schedulers whose runs end at the table's smallest noise, not at none. */
const ENDS_NOISY = new Set([
  "DEISMultistepScheduler",
  "DPMAdaptive",
  "DPMFast",
  "PNDMScheduler",
  "TCDScheduler",
]);

for (const name of Object.keys(RECIPES)) {
  const edm = name.startsWith("EDM");
  if (edm || name === "IPNDMScheduler") continue;
  Deno.test(`${name} ends at the only picture the network knows`, async () => {
    const picture = Float32Array.from([0.5, -0.25, 1, 0]);
    const config = { _class_name: name, clip_sample: false, beta_start: 0.00085, beta_end: 0.012 };
    const plan = schedulerFromConfig({ ...config, beta_schedule: "scaled_linear" })
      .plan({ steps: 20 });
    const sample = picture.map((_, i) => (i - 1.5) * plan.initialScale);
    // Solves "denoised = picture" for the network's output, from what it is shown.
    const predict = (input: Float32Array, { denoised, inputScale }: typeof plan.stages[number]) =>
      input.map((x, i) => (picture[i]! - denoised.sample * x / inputScale) / denoised.output);
    let last: Float32Array = new Float32Array();
    const noise = () => Float32Array.of(0.3, -1, 0.7, 1.1);
    for await (const step of denoise(plan, sample, predict, noise)) last = step.denoised;
    const allowed = ENDS_NOISY.has(name) ? 0.06 : 2e-3;
    for (const [i, value] of picture.entries()) {
      assert.ok(Math.abs(last[i]! - value) < 2e-3, `denoised ${last[i]}, not ${value}`);
      assert.ok(Math.abs(sample[i]! - value) < allowed, `sample ${sample[i]}, not ${value}`);
    }
  });
}
