/**
 * The arithmetic of one stage: one pass over the arrays, summed in float64, rounded once.
 * @module
 */
import type { Precondition, Row, Stage } from "./plan.ts";

/** The arrays a run works on, all Float32Array `[n]`, made once. */
export interface Registers {
  /** The sample now; changed in place. */
  readonly sample: Float32Array;
  /** The sample at the start of the step; the same array where every call is a step. */
  readonly start: Float32Array;
  /** The newest estimate of the clean picture. */
  readonly denoised: Float32Array;
  /** Results, newest first; entry 0 is overwritten by this stage. */
  readonly history: Float32Array[];
  /** Random draws, newest first. */
  readonly draws: Float32Array[];
  /** Running squares of the newest result; empty where no row asks for them. */
  readonly squares: Float32Array;
}

const NO_NOISE: readonly number[] = [];

/**
 * Forms the stage's result from the network's `output` and the next sample from all results.
 *
 * `clipped` says that `denoised` already holds this call's estimate, clipped; if not, it is
 * written here.
 */
export function combine(
  { sample, start, denoised, history, draws, squares }: Registers,
  { denoised: estimate, result, correct, next }: Stage,
  output: Float32Array,
  clipped: boolean,
): void {
  const newest = history[0]!;
  const { unclipped = 0, noise = NO_NOISE, precondition } = next;
  const { sample: cleanSample, output: cleanOutput } = estimate;
  const { sample: resultSample, output: resultOutput, denoised: resultClean } = result;
  for (let i = 0; i < sample.length; i++) {
    const x = sample[i]!;
    const o = output[i]!;
    const raw = cleanSample * x + cleanOutput * o;
    if (!clipped) denoised[i] = raw;
    const clean = clipped ? denoised[i]! : raw;
    const fresh = resultSample * x + resultOutput * o + resultClean * clean;
    if (correct) start[i] = weighted(correct, start[i]!, fresh, history, i);
    let sum = weighted(next, start[i]!, fresh, history, i) + unclipped * raw;
    if (precondition) {
      const kept = next.start * start[i]!;
      sum = kept + (sum - kept) * gain(precondition, squares, fresh, i);
    }
    for (let k = 0; k < noise.length; k++) sum += noise[k]! * draws[k]![i]!;
    newest[i] = fresh;
    sample[i] = sum;
  }
}

/** `row` without its noise at element `i`; the fresh result is passed in before it is rounded. */
function weighted(
  { start, results }: Row,
  x: number,
  fresh: number,
  history: readonly Float32Array[],
  i: number,
): number {
  let sum = start * x + results[0]! * fresh;
  for (let k = 1; k < results.length; k++) sum += results[k]! * history[k]![i]!;
  return sum;
}

/** Takes `fresh` into the running square of element `i`; what the results are multiplied by there. */
function gain(
  { decay, correction, floor }: Precondition,
  squares: Float32Array,
  fresh: number,
  i: number,
): number {
  const square = decay * squares[i]! + (1 - decay) * fresh * fresh;
  squares[i] = square;
  return (1 + floor) / (Math.sqrt(correction * square) + floor);
}
