import type { Level } from "../level.ts";
import type { Call } from "../plan.ts";
import { alongNoise } from "./straight.ts";

/** A step of DPM-Solver-2: through a middle level to `to`, then fresh noise. */
export interface MiddleStep {
  /** Where the network is asked first. */
  readonly from: Level;
  /** Where it is asked again. */
  readonly middle: Level;
  /** Where the step ends. */
  readonly to: Level;
  /** Standard deviation of the fresh noise; absent in the deterministic form. */
  readonly up?: number;
}

/**
 * DPM-Solver-2 (Lu et al. 2022, arXiv:2206.00927) as Karras et al. 2022 use it: to the middle, ask,
 * and go the whole step in that direction. The last step, to no noise, is Euler's.
 */
export function dpm2(steps: readonly MiddleStep[], last: { from: Level; to: Level }): Call[] {
  const calls = steps.flatMap(({ from, middle, to, up }): Call[] => {
    const half = alongNoise(from, middle);
    const whole = alongNoise(from, to);
    const noise = up === undefined ? {} : { noise: [up] };
    return [
      { level: from, next: { start: half.keep, results: [half.move] }, advance: false },
      {
        level: middle,
        next: { start: whole.keep, results: [whole.move], ...noise },
        advance: true,
      },
    ];
  });
  const { keep, move } = alongNoise(last.from, last.to);
  return [...calls, {
    level: last.from,
    next: { start: keep, results: [move] },
    advance: true,
  }];
}
