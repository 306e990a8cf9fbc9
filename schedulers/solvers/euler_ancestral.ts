import { type Level, varianceExploding } from "../level.ts";
import type { Call } from "../plan.ts";
import { ancestralSplit, eulerRow } from "./euler.ts";

/**
 * Euler's method with ancestral noise: k-diffusion's `sample_euler_ancestral`, after Song et al.
 * 2020 (DDIM, eta = 1). Noise is drawn for every step, the last one's with weight 0.
 */
export function eulerAncestral(levels: readonly Level[], eta: number): Call[] {
  return levels.slice(0, -1).map((level, i) => {
    const { down, up } = ancestralSplit(level, levels[i + 1]!, eta);
    const next = { ...eulerRow(level, varianceExploding(0, down)), noise: [up] };
    return { level, next, advance: true };
  });
}
