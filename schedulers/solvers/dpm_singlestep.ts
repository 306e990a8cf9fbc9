import { type Level, logSnr } from "../level.ts";
import type { Call, Row } from "../plan.ts";
import { type DpmAlgorithm, exponentialRow, exponentialWeights } from "./exponential_integrator.ts";

/** What DPM-Solver's singlestep form can be told. */
export interface DpmSinglestepOptions {
  /** What is remembered, and whether fresh noise is added. */
  readonly algorithm: DpmAlgorithm;
  /** Whether slopes are taken at the midpoint or integrated ("heun"). */
  readonly midpoint: boolean;
  /** For each step of the whole run, how many calls its block has had with it: 1, 2, 3, 1, ... */
  readonly orders: readonly number[];
}

/**
 * DPM-Solver++ singlestep: Lu et al. 2022 (arXiv:2211.01095), algorithm 1. Calls come in blocks of
 * up to three; each goes from the start of its block again, with one result more.
 */
export function dpmSinglestep(
  levels: readonly Level[],
  first: number,
  { algorithm, midpoint, orders }: DpmSinglestepOptions,
): Call[] {
  return levels.slice(first, -1).map((level, k) => {
    const step = first + k;
    const order = Math.min(orders[step]!, k + 1);
    const visited = levels.slice(step - order + 1, step + 1);
    return {
      level,
      next: singlestepRow(algorithm, visited, levels[step + 1]!, midpoint),
      // A block ends where the next one begins with its first call.
      advance: (orders[step + 1] ?? 1) === 1,
    };
  });
}

/** The step to `to` from the first of `visited`, with a result at each. */
export function singlestepRow(
  algorithm: DpmAlgorithm,
  visited: readonly Level[],
  to: Level,
  midpoint: boolean,
): Row {
  const [from, second, third] = visited;
  const weights = exponentialWeights(algorithm, from!, to);
  if (!second) return exponentialRow(weights, [{ weight: weights.value, of: [1] }]);
  const h = logSnr(to) - logSnr(from!);
  const ratio = (level: Level) => (logSnr(level) - logSnr(from!)) / h;
  if (!third) {
    const r = ratio(second);
    return exponentialRow(weights, [
      { weight: weights.value, of: [0, 1] },
      { weight: midpoint ? weights.slopeMidpoint : weights.slope, of: [1 / r, -1 / r] },
    ]);
  }
  const [r1, r0] = [ratio(second), ratio(third)];
  const near = [0, 1 / r1, -1 / r1];
  const far = [1 / r0, 0, -1 / r0];
  const value = { weight: weights.value, of: [0, 0, 1] };
  if (midpoint) return exponentialRow(weights, [value, { weight: weights.slope, of: far }]);
  const slope = near.map((weight, k) => (r0 * weight - r1 * far[k]!) / (r0 - r1));
  const bend = near.map((weight, k) => 2 * (far[k]! - weight) / (r0 - r1));
  return exponentialRow(weights, [
    value,
    { weight: weights.slope, of: slope },
    { weight: weights.curvature, of: bend },
  ]);
}

/** How many calls each step's block has had, for `steps` steps of blocks of `order`. */
export function blockOrders(steps: number, order: number, lowerOrderFinal: boolean): number[] {
  const orders = Array.from({ length: steps }, (_, i) => i % order + 1);
  if (!lowerOrderFinal) return orders;
  // The last block is cut short: its last calls are of first order, or of first and second.
  if (order === 3 && steps % 3 === 0) orders.splice(-3, 3, 1, 2, 1);
  if (order === 2 && steps % 2 === 0) orders.splice(-2, 2, 1, 1);
  return orders;
}
