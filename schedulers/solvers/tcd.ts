import type { Level } from "../level.ts";
import type { Call } from "../plan.ts";
import { eulerRow } from "./euler.ts";

/** From a level down to an intermediate one, and up again with fresh noise. */
export interface TcdStep {
  /** Where the network is asked. */
  readonly from: Level;
  /** At or below `to`; equal to it where no noise is added. */
  readonly down: Level;
  /** Where the step ends. */
  readonly to: Level;
}

/**
 * Strategic stochastic sampling: Zheng et al. 2024 (arXiv:2402.19159), algorithm 4. The last step
 * ends at its intermediate level.
 */
export function tcd(steps: readonly TcdStep[], eta: number): Call[] {
  return steps.map(({ from, down, to }, i) => {
    const { start, results } = eulerRow(from, down);
    const last = i === steps.length - 1;
    if (eta === 0 || last) return { level: from, next: { start, results }, advance: true };
    const keep = to.signal / down.signal;
    return {
      level: from,
      next: {
        start: keep * start,
        results: results.map((weight) => keep * weight),
        noise: [Math.sqrt(1 - keep ** 2)],
      },
      advance: true,
    };
  });
}
