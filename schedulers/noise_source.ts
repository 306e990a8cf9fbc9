/**
 * Where a run's fresh noise comes from.
 * @module
 */
import type { NoiseSource } from "./denoise.ts";
import type { Plan } from "./plan.ts";
import { BrownianNoise } from "./random/brownian.ts";
import type { NormalSource } from "./random/normal_source.ts";

/**
 * The noise of `plan`, `size` values a draw: the next of `normal`, or, where the plan lays a
 * Brownian path, that path's increments, which the path's own seed or else `seed` decides alone.
 *
 * A path makes the stochastic DPM-Solvers keep their picture when the number of steps changes.
 */
export function noiseSource(
  plan: Plan,
  normal: NormalSource,
  size: number,
  seed: number | bigint,
): NoiseSource {
  const { brownianPath: path } = plan;
  // A single step that ends without noise visits one sigma: there is nothing to draw.
  if (path === undefined || path.from === path.to) return () => normal.normal(size);
  const { from, to } = path;
  const noise = new BrownianNoise({ from, to, seed: path.seed ?? seed, size });
  return ({ next: { interval } }) =>
    interval === undefined ? normal.normal(size) : noise.between(interval.from, interval.to);
}
