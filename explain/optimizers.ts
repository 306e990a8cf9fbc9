/**
 * `latent explain optimizers`: samplers beside methods that look for a minimum.
 *
 * @module
 */

import { denoise } from "../schedulers/denoise.ts";
import { TorchCpuGenerator } from "../schedulers/random/torch_cpu.ts";
import { schedulerFromConfig } from "../schedulers/scheduler.ts";
import { HEAPS, mixtureAt, perfectNoise, rightShare, SPREAD, spreadOf } from "./mixture.ts";
import { atLeast, atMost, type Report, type Series } from "./report.ts";
import type { Laboratory, Topic } from "./topic.ts";

const POINTS = 1000, SHOWN = 6, DESCENT_STEPS = 60;
const SAMPLERS = ["Euler", "DPM++ 2M", "momentum", "adam"];
const CALLS = [5, 10, 20, 40];
const CONFIG = {
  _class_name: "EulerDiscreteScheduler",
  beta_start: 0.00085,
  beta_end: 0.012,
  beta_schedule: "scaled_linear",
  timestep_spacing: "linspace",
};

/** Points and the ways of the first few of them. */
interface Result {
  readonly name: string;
  readonly points: Float32Array;
  readonly ways: readonly (readonly (readonly [number, number])[])[];
}

async function run({ seed, progress }: Laboratory): Promise<Report> {
  const noise = new TorchCpuGenerator(seed).normal(2 * POINTS);
  const sampled: Result[] = [], errors: Series[] = [];
  progress("the exact way");
  const exact = (await sample("DPM++ 2M", 400, noise)).points;
  for (const name of SAMPLERS) {
    progress(name);
    const points: [number, number][] = [];
    for (const calls of CALLS) {
      const result = await sample(name, calls, noise);
      points.push([calls, meanDistance(result.points, exact)]);
      if (calls === 20) sampled.push(result);
    }
    errors.push({ name, points });
  }
  const descended = Object.entries(DESCENTS).map(([name, rule]) => descend(name, rule, noise));
  const euler = sampled[0]!, sgd = descended[0]!;
  const at = (name: string, calls: number) =>
    errors.find((s) => s.name === name)!.points[CALLS.indexOf(calls)]![1];
  return {
    topic: "optimizers",
    title: "Samplers and optimizers",
    summary: "A sampler follows a slope in steps, as an optimizer does, and momentum or Adam can " +
      "be put into it. But they look for different things: an optimizer wants the lowest point " +
      "of one fixed landscape, a sampler wants each place to be reached as often as it should. " +
      "It gets there by changing the landscape on the way, from a smooth one to the true one. " +
      "Here the true one is two heaps, 80 and 20 in a hundred points, and its slope is a formula.",
    blocks: [
      {
        kind: "table",
        caption: `Where ${POINTS} points end that began in the same noise; true: ${
          HEAPS[1]!.share
        } on the right, spread ${SPREAD}`,
        columns: ["method", "share on the right", "spread around the heaps"],
        rows: [...sampled, ...descended].map(({ name, points }) => [
          name,
          rightShare(points),
          spreadOf(points),
        ]),
      },
      {
        kind: "text",
        text:
          "Adam inside a sampler does harm here: it gives each number a step of its own length, " +
          "which bends a direction that was right, and the noise level falls whether the point " +
          "has come along or not.",
      },
      waysPlot("Ways of a few points: the sampler Euler, 20 steps, in units of the data", euler),
      waysPlot(`Ways of the same points: gradient descent, ${DESCENT_STEPS} steps`, sgd),
      {
        kind: "plot",
        caption: "Samplers: mean distance from where the exact way ends",
        x: { label: "calls of the network", log: true },
        y: { label: "distance", log: true },
        series: errors,
      },
    ],
    claims: [
      atMost(
        "The sampler puts the right share of points on each heap (error)",
        Math.abs(rightShare(euler.points) - HEAPS[1]!.share),
        0.04,
      ),
      atLeast(
        "Descent does not: it takes every point to the nearest heap (error)",
        Math.abs(rightShare(sgd.points) - HEAPS[1]!.share),
        0.1,
      ),
      atMost(
        "and piles points up on one spot (spread, of the true)",
        spreadOf(sgd.points) / SPREAD,
        0.5,
      ),
      atLeast(
        "The sampler keeps the spread (of the true)",
        spreadOf(euler.points) / SPREAD,
        0.7,
      ),
      atMost(
        "A solver of second order is nearer after 20 calls than plain steps (distance, of theirs)",
        at("DPM++ 2M", 20) / at("Euler", 20),
        1,
      ),
    ],
    formulas: [
      {
        text: "dx/dσ = −σ ∇ log p(x; σ)   beside   x ← x + η ∇ log p(x; 0)",
        symbols: {
          "p(x; σ)": "density of the data with noise σ: a smooth landscape for large σ",
          "η": "learning rate",
        },
        file: "explain/mixture.ts",
        symbol: "perfectNoise",
      },
      {
        text: "d ← β d + (1 − β) g;   x' = x + (σ' − σ) d",
        symbols: { "g": "what the network says now", "β": "momentum" },
        file: "schedulers/solvers/optimizer.ts",
        symbol: "optimizer",
      },
    ],
    papers: [
      "Song et al. 2020, Score-Based Generative Modeling through SDEs, arXiv:2011.13456",
      "Permenter, Yuan 2023, Interpreting and Improving Diffusion Models from an Optimization Perspective, arXiv:2306.04848",
      "Kingma, Ba 2014, Adam, arXiv:1412.6980",
    ],
  };
}

async function sample(name: string, steps: number, noise: Float32Array): Promise<Result> {
  const plan = schedulerFromConfig(CONFIG, {
    scheduler: name,
    timestepSpacing: "linspace",
    sigmaSchedule: "karras",
  }).plan({ steps });
  const start = plan.stages[0]!.level.noise, points = noise.map((z) => z * start);
  const ways = Array.from({ length: SHOWN }, (): [number, number][] => []);
  for await (const { denoised } of denoise(plan, points, perfectNoise)) {
    // The first steps are as wide as the noise: what is believed is in units of the data.
    ways.forEach((way, i) => way.push([denoised[2 * i]!, denoised[2 * i + 1]!]));
  }
  ways.forEach((way, i) => way.push([points[2 * i]!, points[2 * i + 1]!]));
  return { name, points, ways };
}

/** From a slope and what is remembered of slopes to a step. */
type Descent = (slope: number, memory: [number, number], count: number) => number;

const DESCENTS: Readonly<Record<string, Descent>> = {
  "gradient descent": (g) => 0.004 * g,
  "descent with momentum": (g, memory) => 0.001 * (memory[0] = 0.9 * memory[0] + g),
  "Adam": (g, memory, count) => {
    memory[0] = 0.9 * memory[0] + 0.1 * g;
    memory[1] = 0.999 * memory[1] + 0.001 * g * g;
    const mean = memory[0] / (1 - 0.9 ** count), square = memory[1] / (1 - 0.999 ** count);
    return 0.05 * mean / (Math.sqrt(square) + 1e-8);
  },
};

/** Down −log p of the clean data, from the noise itself. */
function descend(name: string, rule: Descent, noise: Float32Array): Result {
  const points = noise.slice(), ways: [number, number][][] = [];
  const memory = Array.from(points, (): [number, number] => [0, 0]);
  for (let p = 0; p < points.length; p += 2) {
    const way: [number, number][] = [[points[p]!, points[p + 1]!]];
    for (let step = 1; step <= DESCENT_STEPS; step++) {
      const { slopeX, slopeY } = mixtureAt(points[p]!, points[p + 1]!, 0);
      points[p]! += rule(slopeX, memory[p]!, step);
      points[p + 1]! += rule(slopeY, memory[p + 1]!, step);
      way.push([points[p]!, points[p + 1]!]);
    }
    if (p < 2 * SHOWN) ways.push(way);
  }
  return { name, points, ways };
}

function waysPlot(caption: string, { ways }: Result): Report["blocks"][number] {
  return {
    kind: "plot",
    caption,
    x: { label: "x" },
    y: { label: "y" },
    series: ways.map((points, i) => ({ name: `point ${i + 1}`, points })),
  };
}

function meanDistance(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 2) sum += Math.hypot(a[i]! - b[i]!, a[i + 1]! - b[i + 1]!);
  return 2 * sum / a.length;
}

/** Samplers beside methods that look for a minimum. */
export const optimizers: Topic = { run };
