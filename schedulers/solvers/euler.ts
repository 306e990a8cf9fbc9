import { type Level, sigma } from "../level.ts";
import type { Call, Row } from "../plan.ts";

/**
 * Euler's method: Karras et al. 2022 (arXiv:2206.00364), algorithm 1 without its second order
 * correction; DDIM without noise is the same step in other coordinates.
 *
 * `levels` holds one level more than there are calls: the last is where the run ends.
 */
export function euler(levels: readonly Level[]): Call[] {
  return levels.slice(0, -1).map((level, i) => ({
    level,
    next: eulerRow(level, levels[i + 1]!),
    advance: true,
  }));
}

/** From one level to another in a straight line towards the denoised estimate. */
export function eulerRow(from: Level, to: Level): Row {
  const keep = to.noise / from.noise;
  return { start: keep, results: [to.signal - keep * from.signal] };
}

/** Splits the way to `sigmaTo` into a step down and fresh noise up, as ancestral sampling does. */
export function ancestralSplit(from: Level, to: Level): { down: number; up: number } {
  const [s, t] = [sigma(from), sigma(to)];
  const up = Math.sqrt(t * t * (s * s - t * t) / (s * s));
  return { down: Math.sqrt(t * t - up * up), up };
}
