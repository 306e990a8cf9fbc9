import { type Level, sigma } from "../level.ts";
import type { Call } from "../plan.ts";
import { eulerRow } from "./euler.ts";

/**
 * "dpm++2mv2" of stable-diffusion.cpp: DPM++ 2M that takes the mean of this step's length and the
 * last one's for its exponential, and the larger over the smaller for their ratio. Meant for Karras's
 * sigmas at few steps. Its rows do not sum to those of a constant picture where lengths differ.
 */
export function dpmpp2mV2(levels: readonly Level[]): Call[] {
  const sigmas = levels.map(sigma);
  return levels.slice(0, -1).map((level, i) => {
    const [before, from, to] = [sigmas[i - 1], sigmas[i]!, sigmas[i + 1]!];
    if (before === undefined || to === 0) {
      return { level, next: eulerRow(level, levels[i + 1]!), advance: true };
    }
    const lengths = [Math.log(from / to), Math.log(before / from)];
    const ratio = Math.max(...lengths) / Math.min(...lengths);
    const value = -Math.expm1(-(lengths[0]! + lengths[1]!) / 2);
    const far = value / (2 * ratio);
    return { level, next: { start: to / from, results: [value + far, -far] }, advance: true };
  });
}
