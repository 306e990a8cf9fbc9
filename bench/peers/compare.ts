/**
 * Figures that several benchmarks compare by.
 *
 * @module
 */

import type { Image } from "../../pipeline/image.ts";

/** Peak signal to noise ratio of two pictures of one size, in decibels; Infinity for equal ones. */
export function psnr(a: Image, b: Image): number {
  const squares = a.data.reduce((sum, value, i) => sum + (value - b.data[i]!) ** 2, 0);
  return 10 * Math.log10(255 ** 2 * a.data.length / squares);
}

/** The size of the error of `values` as a part of the size of `exact`. */
export function relativeError(values: Float32Array, exact: Float32Array): number {
  let error = 0, size = 0;
  exact.forEach((value, i) => (error += (values[i]! - value) ** 2, size += value ** 2));
  return Math.sqrt(error / size);
}

/** The middle number; of an even count the larger of the two. */
export function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;
}
