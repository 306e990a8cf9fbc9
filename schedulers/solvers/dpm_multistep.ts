import { type Level, logSnr } from "../level.ts";
import type { Call, Row } from "../plan.ts";
import { type DpmAlgorithm, exponentialRow, exponentialWeights } from "./exponential_integrator.ts";

/** What DPM-Solver's multistep form can be told. */
export interface DpmMultistepOptions {
  /** What is remembered, and whether fresh noise is added. */
  readonly algorithm: DpmAlgorithm;
  /** Results a step looks at: 1 is DDIM, 2 is "2M", 3 is "3M". */
  readonly order: number;
  /** Whether second order steps take the slope at its midpoint or integrate it ("heun"). */
  readonly midpoint: boolean;
  /** Highest order allowed for step i, counted from the start of the whole run. */
  readonly limit: (step: number) => number;
}

/**
 * DPM-Solver++(2M) and its relatives: Lu et al. 2022 (arXiv:2211.01095), algorithm 2. Steps before
 * `first` are not taken; the order grows from 1 as results come in.
 */
export function dpmMultistep(
  levels: readonly Level[],
  first: number,
  options: DpmMultistepOptions,
): Call[] {
  return levels.slice(first, -1).map((level, k) => {
    const step = first + k;
    const order = Math.min(options.order, k + 1, options.limit(step));
    const visited = levels.slice(step - order + 1, step + 1).toReversed();
    return { level, next: multistepRow(visited, levels[step + 1]!, options), advance: true };
  });
}

/** The step to `to` from the newest of `visited` (newest first), looking at a result at each. */
function multistepRow(
  visited: readonly Level[],
  to: Level,
  { algorithm, midpoint }: DpmMultistepOptions,
): Row {
  const [from, before, beforeThat] = visited;
  const weights = exponentialWeights(algorithm, from!, to);
  const value = { weight: weights.value, of: [1] };
  if (!before) return exponentialRow(weights, [value]);
  const h = logSnr(to) - logSnr(from!);
  const r0 = (logSnr(from!) - logSnr(before)) / h;
  const near = [1 / r0, -1 / r0];
  if (!beforeThat) {
    const weight = midpoint ? weights.slopeMidpoint : weights.slope;
    return exponentialRow(weights, [value, { weight, of: near }]);
  }
  const r1 = (logSnr(before) - logSnr(beforeThat)) / h;
  const far = [0, 1 / r1, -1 / r1];
  const bend = far.map((weight, k) => ((near[k] ?? 0) - weight) / (r0 + r1));
  const slope = bend.map((weight, k) => (near[k] ?? 0) + r0 * weight);
  return exponentialRow(weights, [
    value,
    { weight: weights.slope, of: slope },
    { weight: weights.curvature, of: bend },
  ]);
}
