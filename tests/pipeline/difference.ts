import assert from "node:assert/strict";
import type { Image } from "../../mod.ts";

type Picture = Pick<Image, "width" | "height" | "data">;

/** The largest difference of a channel, 0 to 255. */
export function difference(a: Picture, b: Picture): number {
  assert.deepEqual([a.width, a.height], [b.width, b.height]);
  return a.data.reduce((most, value, i) => Math.max(most, Math.abs(value - b.data[i]!)), 0);
}

/** Peak signal to noise ratio in decibels; Infinity for equal pictures. */
export function psnr(a: Picture, b: Picture): number {
  assert.deepEqual([a.width, a.height], [b.width, b.height]);
  const squares = a.data.reduce((sum, value, i) => sum + (value - b.data[i]!) ** 2, 0);
  return 10 * Math.log10(255 ** 2 * a.data.length / squares);
}
