import { type Level, sigma, varianceExploding } from "../level.ts";
import type { Call } from "../plan.ts";
import { ancestralSplit, eulerRow } from "./euler.ts";

/**
 * DPM-Solver++(2S) with ancestral noise: k-diffusion's `sample_dpmpp_2s_ancestral`, after Lu et al.
 * 2022 (arXiv:2211.01095), algorithm 1. Two calls a step, the second halfway down in log sigma.
 *
 * `middle(sigma)` gives the level there; no noise is drawn for a step that ends without any.
 */
export function dpmpp2sAncestral(
  levels: readonly Level[],
  eta: number,
  middle: (sigma: number) => Level,
): Call[] {
  return levels.slice(0, -1).flatMap((from, i): Call[] => {
    const to = levels[i + 1]!;
    const { down, up } = ancestralSplit(from, to, eta);
    const noise = to.noise > 0 ? { noise: [up] } : {};
    const below = varianceExploding(to.timestep, down);
    const whole = { ...eulerRow(from, below), ...noise };
    if (down === 0) return [{ level: from, next: whole, advance: true }];
    const halfway = middle(Math.sqrt(sigma(from) * down));
    return [
      { level: from, next: eulerRow(from, halfway), advance: false },
      { level: halfway, next: whole, advance: true },
    ];
  });
}
