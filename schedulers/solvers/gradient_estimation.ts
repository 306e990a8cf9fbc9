import type { Level } from "../level.ts";
import type { Call } from "../plan.ts";
import { alongNoise } from "./straight.ts";

/**
 * Gradient estimation: Permenter & Yuan 2024 (arXiv:2306.04848), algorithm 2. The noise seen now,
 * pushed away from the noise seen before: `gamma * now + (1 - gamma) * before`. The step to no noise
 * is Euler's. With gamma 1 it is Euler, with 1.5 and even steps second order Adams-Bashforth.
 */
export function gradientEstimation(levels: readonly Level[], gamma: number): Call[] {
  return levels.slice(0, -1).map((level, i) => {
    const to = levels[i + 1]!;
    const { keep, move } = alongNoise(level, to);
    const plain = i === 0 || to.noise === 0;
    const results = plain ? [move] : [gamma * move, (1 - gamma) * move];
    return { level, next: { start: keep, results }, advance: true };
  });
}
