import type { Level } from "../level.ts";
import type { Call } from "../plan.ts";
import type { StepStart } from "./churn.ts";
import { asTheyAre } from "./euler.ts";
import type { Straight } from "./straight.ts";

/**
 * Heun's second order method: Karras et al. 2022, algorithm 2. Each step asks twice, at its start
 * and at the end it would reach, and takes the mean direction; the last step, to no noise, asks once.
 *
 * `starts` are where the steps begin instead, if noise is added before each.
 */
export function heun(
  levels: readonly Level[],
  straight: Straight,
  starts: readonly StepStart[] = asTheyAre(levels),
): Call[] {
  return starts.flatMap((start, i): Call[] => {
    const to = levels[i + 1]!;
    const { keep, move } = straight(start.level, to);
    const last = i === starts.length - 1;
    const first: Call = { ...start, next: { start: keep, results: [move] }, advance: last };
    if (last) return [first];
    const mean = { start: keep, results: [move / 2, move / 2] };
    return [first, { level: to, next: mean, advance: true }];
  });
}
