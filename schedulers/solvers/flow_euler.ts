import type { Level } from "../level.ts";
import type { Call } from "../plan.ts";
import { alongFlow } from "./straight.ts";

/**
 * Euler's method along a flow's velocity: Lipman et al. 2023 (arXiv:2210.02747). "Stochastic" jumps
 * to the clean picture and noises it afresh at each step.
 */
export function flowEuler(levels: readonly Level[], stochastic: boolean): Call[] {
  return levels.slice(0, -1).map((level, i) => {
    const to = levels[i + 1]!;
    const { keep, move } = alongFlow(level, to);
    const next = stochastic
      ? { start: to.signal, results: [-to.signal * level.noise], noise: [to.noise] }
      : { start: keep, results: [move] };
    return { level, next, advance: true };
  });
}
