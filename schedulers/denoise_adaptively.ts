/**
 * The loop of a run that finds its own steps. It is no table of weights: whether a step is taken
 * depends on what the network says.
 * @module
 */
import { checkFinite, checkLength } from "./checks.ts";
import type { DenoiseOptions, DenoisingStep, Predict } from "./denoise.ts";
import type { AdaptiveSearch, Stage } from "./plan.ts";

/** Positions of the two inner calls of a step. */
const INNER = [1 / 3, 2 / 3] as const;
/** A step is taken if the next one would be at least this much of it. */
const ACCEPT = 0.81;

/**
 * DPM-Solver-23 with adaptive steps: Lu et al. 2022 (arXiv:2206.00927), appendix C, with
 * k-diffusion's integral controller (`sample_dpm_adaptive`, order 3).
 *
 * Yields after each step that is tried, three calls of the network; `latents` change, in place, by
 * the accepted ones. `count` is not known before the end: it is the number of calls so far.
 */
export async function* denoiseAdaptively(
  search: AdaptiveSearch,
  latents: Float32Array,
  predict: Predict,
  { signal }: DenoiseOptions = {},
): AsyncGenerator<DenoisingStep, void, void> {
  const make = () => new Float32Array(latents.length);
  const [probe, input, denoised, low, high, previous] = [
    make(),
    make(),
    make(),
    make(),
    make(),
    make(),
  ];
  const noises = [make(), make(), make()] as const;
  previous.set(latents);
  const end = -Math.log(search.to);
  let time = -Math.log(search.from);
  let length = search.firstStep;
  let calls = 0;

  /** Asks at `at` (in -log sigma) about `probe`; writes the noise it sees. */
  async function ask(at: number, into: Float32Array): Promise<Stage> {
    const stage = search.stageAt(Math.exp(-at));
    signal?.throwIfAborted();
    for (let i = 0; i < input.length; i++) input[i] = probe[i]! * stage.inputScale;
    const output = await predict(input, stage, calls++);
    checkLength(output, probe, stage);
    const { sample, output: weight } = stage.result;
    for (let i = 0; i < into.length; i++) into[i] = sample * probe[i]! + weight * output[i]!;
    return stage;
  }

  while (time < end - 1e-5) {
    const next = Math.min(end, time + length);
    const h = next - time;
    probe.set(latents);
    const stage = await ask(time, noises[0]);
    for (let i = 0; i < denoised.length; i++) {
      denoised[i] = latents[i]! - stage.sigma * noises[0][i]!;
    }
    for (const [k, weights] of [innerWeights(time, h, 0), innerWeights(time, h, 1)].entries()) {
      weigh(probe, latents, weights, noises);
      await ask(time + INNER[k]! * h, noises[k + 1]!);
    }
    const grow = Math.expm1(h);
    const to = Math.exp(-next);
    const second = to * grow / (2 * INNER[0]);
    const third = to / INNER[1] * (grow / h - 1);
    weigh(low, latents, [-to * grow + second, -second, 0], noises);
    weigh(high, latents, [-to * grow + third, 0, -third], noises);
    const factor = 1 +
      Math.atan((1 / (disagreement(low, high, previous, search) + 1e-8)) ** (1 / 3) - 1);
    length *= factor;
    if (factor >= ACCEPT) {
      previous.set(low);
      latents.set(high);
      time = next;
    }
    checkFinite(high, noises[2], stage, calls - 1, calls);
    const { timestep, sigma } = stage;
    yield { index: calls - 1, count: calls, timestep, sigma, stage, latents, denoised };
  }
}

/** Weights of the noises for the first or second inner point of a step of length `h`. */
function innerWeights(time: number, h: number, k: 0 | 1): readonly number[] {
  const reach = INNER[k] * h;
  const to = Math.exp(-time - reach);
  const grow = Math.expm1(reach);
  if (k === 0) return [-to * grow, 0, 0];
  const slope = to * (INNER[1] / INNER[0]) * (grow / reach - 1);
  return [-to * grow + slope, -slope, 0];
}

function weigh(
  into: Float32Array,
  start: Float32Array,
  weights: readonly number[],
  [a, b, c]: readonly [Float32Array, Float32Array, Float32Array],
): void {
  for (let i = 0; i < into.length; i++) {
    let sum = start[i]! + weights[0]! * a[i]!;
    if (weights[1] !== 0) sum += weights[1]! * b[i]!;
    if (weights[2] !== 0) sum += weights[2]! * c[i]!;
    into[i] = sum;
  }
}

/** Root mean square of the difference of two estimates, in units of what is tolerated. */
function disagreement(
  low: Float32Array,
  high: Float32Array,
  previous: Float32Array,
  { absoluteTolerance, relativeTolerance }: AdaptiveSearch,
): number {
  let sum = 0;
  for (let i = 0; i < low.length; i++) {
    const size = Math.max(Math.abs(low[i]!), Math.abs(previous[i]!));
    sum += ((low[i]! - high[i]!) / Math.max(absoluteTolerance, relativeTolerance * size)) ** 2;
  }
  return Math.sqrt(sum / low.length);
}
