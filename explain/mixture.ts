/**
 * A cloud of points whose score is a formula: two heaps in the plane, of unequal weight.
 *
 * @module
 */

import type { Stage } from "../schedulers/plan.ts";

/** A heap of the mixture. */
export interface Heap {
  readonly x: number;
  readonly y: number;
  /** Share of all points. */
  readonly share: number;
}

/** One point in five belongs to the right heap, though it is as near to the origin. */
export const HEAPS: readonly Heap[] = [
  { x: -1, y: -0.2, share: 0.8 },
  { x: 1, y: 0.2, share: 0.2 },
];
/** Standard deviation of a heap. */
export const SPREAD = 0.15;

/** The expected clean point and -log p at `(x, y)` when noise of deviation `sigma` is on it. */
export function mixtureAt(x: number, y: number, sigma: number) {
  const variance = SPREAD ** 2 + sigma ** 2;
  const powers = HEAPS.map((heap) =>
    heap.share * Math.exp(-((x - heap.x) ** 2 + (y - heap.y) ** 2) / (2 * variance))
  );
  const total = powers.reduce((a, b) => a + b, 0) || Number.MIN_VALUE;
  let mx = 0, my = 0;
  HEAPS.forEach((heap, k) => {
    mx += heap.x * powers[k]! / total;
    my += heap.y * powers[k]! / total;
  });
  // The slope of log p points to the mean of the heaps, each weighed by how likely it is.
  return { slopeX: (mx - x) / variance, slopeY: (my - y) / variance, energy: -Math.log(total) };
}

/** What a perfect U-Net would say of points [n, 2] at a stage: ε = −σ ∇ log p. */
export function perfectNoise(input: Float32Array, stage: Stage): Float32Array {
  const { inputScale, level, sigma } = stage, scale = inputScale * level.signal;
  const out = new Float32Array(input.length);
  for (let i = 0; i < input.length; i += 2) {
    const { slopeX, slopeY } = mixtureAt(input[i]! / scale, input[i + 1]! / scale, sigma);
    out[i] = -sigma * slopeX;
    out[i + 1] = -sigma * slopeY;
  }
  return out;
}

/** Share of points [n, 2] that lie on the right heap's side. */
export function rightShare(points: Float32Array): number {
  let right = 0;
  for (let i = 0; i < points.length; i += 2) if (points[i]! > 0) right++;
  return 2 * right / points.length;
}

/** Standard deviation of points [n, 2] around their own heap. */
export function spreadOf(points: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < points.length; i += 2) {
    const heap = HEAPS[points[i]! > 0 ? 1 : 0]!;
    sum += (points[i]! - heap.x) ** 2 + (points[i + 1]! - heap.y) ** 2;
  }
  return Math.sqrt(sum / points.length);
}
