import type { Level } from "../level.ts";
import type { Call, Row } from "../plan.ts";
import { alongNoise } from "./straight.ts";

/**
 * What an optimizer does to a sampler's step.
 *
 * The sample is the parameter, the noise that the network sees is the gradient, and the fall of
 * sigma is the learning rate: gradient descent is then Euler's method.
 */
export interface OptimizerOptions {
  /** Decay of the running mean of directions: 0 forgets, near 1 remembers; negative extrapolates. */
  readonly momentum: number;
  /** Mix this call's direction in once more, as Nesterov's look ahead does. */
  readonly nesterov: boolean;
  /** Factor of each step's fall, by the part of the run that is done, 0..1. */
  readonly learningRate: (done: number) => number;
  /** Divide each element by the running size of its directions (RMSprop, Adam). */
  readonly precondition?: { readonly decay: number; readonly floor: number };
}

/** Weights below this part of the newest one are lost in float32 and left out. */
const NEGLIGIBLE = 2 ** -26;

/**
 * Polyak's heavy ball, Nesterov's momentum (Sutskever et al. 2013), RMSprop and Adam (Kingma & Ba
 * 2014, with their correction of the first steps) along the noise; the heavy ball in diffusion:
 * Wizadwongsa et al. 2023 (arXiv:2307.11118). The step to no noise is Euler's, so that runs end clean.
 *
 * Means are normalised: a step goes as far as Euler's. What they change is the age of its direction,
 * which momentum m makes m / (1 - m) steps older; exact to second order would be half a step younger.
 */
export function optimizer(
  levels: readonly Level[],
  { momentum, nesterov, learningRate, precondition }: OptimizerOptions,
): Call[] {
  const steps = levels.length - 1;
  return levels.slice(0, -1).map((level, i) => {
    const to = levels[i + 1]!;
    const { keep, move } = alongNoise(level, to);
    if (to.noise === 0) return { level, next: { start: keep, results: [move] }, advance: true };
    const mean = runningMean(momentum, i + 1);
    const direction = nesterov
      ? mean.map((weight, k) => momentum * weight + (k === 0 ? 1 - momentum : 0))
      : mean;
    const rate = move * learningRate(i / Math.max(steps - 1, 1));
    const next: Row = {
      start: keep,
      results: direction.map((weight) => rate * weight),
      ...(precondition && { precondition: corrected(precondition, i + 1) }),
    };
    return { level, next, advance: true };
  });
}

/** Weights of an exponential running mean of `count` values, newest first; they sum to 1. */
function runningMean(decay: number, count: number): number[] {
  const weights = Array.from({ length: count }, (_, k) => decay ** k);
  const last = weights.findLastIndex((weight) => Math.abs(weight) > NEGLIGIBLE);
  const kept = weights.slice(0, last + 1);
  const total = kept.reduce((sum, weight) => sum + weight, 0);
  return kept.map((weight) => weight / total);
}

/** Adam's correction of a running mean that began at 0. */
function corrected(
  { decay, floor }: { readonly decay: number; readonly floor: number },
  count: number,
): NonNullable<Row["precondition"]> {
  return { decay, correction: 1 / (1 - decay ** count), floor };
}
