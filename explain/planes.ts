/**
 * Maps of numbers as gray pictures.
 *
 * @module
 */

import { Image } from "../pipeline/image.ts";

/** `values` [height, width] as gray: the smallest black, the largest white; four times enlarged. */
export function plane(values: Float32Array, width: number, height: number, enlarge = 4): Image {
  const low = values.reduce((a, b) => Math.min(a, b), Infinity);
  const high = values.reduce((a, b) => Math.max(a, b), -Infinity);
  const data = new Uint8ClampedArray(width * height * 3);
  values.forEach((value, i) => {
    const gray = high === low ? 128 : 255 * (value - low) / (high - low);
    data.fill(gray, 3 * i, 3 * i + 3);
  });
  return new Image(width, height, data).resize(width * enlarge, height * enlarge, "nearest");
}
