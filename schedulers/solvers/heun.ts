import type { Level } from "../level.ts";
import type { Call } from "../plan.ts";
import type { Straight } from "./straight.ts";

/**
 * Heun's second order method: Karras et al. 2022, algorithm 1. Each step asks twice, at its start
 * and at the end it would reach, and takes the mean direction; the last step, to no noise, asks once.
 */
export function heun(levels: readonly Level[], straight: Straight): Call[] {
  return levels.slice(0, -1).flatMap((from, i): Call[] => {
    const to = levels[i + 1]!;
    const { keep, move } = straight(from, to);
    const last = i === levels.length - 2;
    const first: Call = { level: from, next: { start: keep, results: [move] }, advance: last };
    if (last) return [first];
    const mean = { start: keep, results: [move / 2, move / 2] };
    return [first, { level: to, next: mean, advance: true }];
  });
}
