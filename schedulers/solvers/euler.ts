import { type Level, sigma } from "../level.ts";
import type { Call, Row } from "../plan.ts";
import type { StepStart } from "./churn.ts";

/**
 * Euler's method: Karras et al. 2022 (arXiv:2206.00364), algorithm 2 without its second order
 * correction; DDIM without noise is the same step in other coordinates.
 *
 * `levels` holds one level more than there are calls: the last is where the run ends. `starts` are
 * where the steps begin instead, if noise is added before each.
 */
export function euler(levels: readonly Level[], starts: readonly StepStart[] = asTheyAre(levels)) {
  return starts.map((start, i): Call => ({
    ...start,
    next: eulerRow(start.level, levels[i + 1]!),
    advance: true,
  }));
}

/** Steps that begin at their levels. */
export function asTheyAre(levels: readonly Level[]): StepStart[] {
  return levels.slice(0, -1).map((level) => ({ level }));
}

/** From one level to another in a straight line towards the denoised estimate. */
export function eulerRow(from: Level, to: Level): Row {
  const keep = to.noise / from.noise;
  return { start: keep, results: [to.signal - keep * from.signal] };
}

/**
 * Splits the way to the sigma of `to` into a step down and fresh noise up, as ancestral sampling
 * does; `eta` 1 is all of it, 0 none.
 */
export function ancestralSplit(from: Level, to: Level, eta = 1): { down: number; up: number } {
  // In float32 as everyone computes it: for long steps most of `down` cancels, and the error that
  // is left is part of what these samplers do.
  const f32 = Math.fround;
  const [s, t] = [f32(sigma(from)), f32(sigma(to))];
  const [s2, t2] = [f32(s * s), f32(t * t)];
  const up = Math.min(t, f32(eta * f32(Math.sqrt(f32(f32(t2 * f32(s2 - t2)) / s2)))));
  return { down: f32(Math.sqrt(Math.max(f32(t2 - f32(up * up)), 0))), up };
}
