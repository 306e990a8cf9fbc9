import type { Level } from "../level.ts";
import type { Call } from "../plan.ts";
import { ADAMS_BASHFORTH, alongNoise } from "./straight.ts";

/**
 * Improved PNDM: Adams-Bashforth steps of up to fourth order along the noise, Liu et al. 2022
 * (arXiv:2202.09778) without its Runge-Kutta start; Zhang & Chen 2022 (arXiv:2204.13902), section 4.
 */
export function adamsBashforth(levels: readonly Level[], first: number): Call[] {
  return levels.slice(first, -1).map((level, k) => {
    const to = levels[first + k + 1]!;
    // Where no picture is left, the sample is all noise: nothing of it is a picture to keep.
    const { keep, move } = level.signal === 0 ? { keep: 0, move: to.noise } : alongNoise(level, to);
    const weights = ADAMS_BASHFORTH[Math.min(k + 1, 4)]!;
    return {
      level,
      next: { start: keep, results: weights.map((weight) => move * weight) },
      advance: true,
    };
  });
}
