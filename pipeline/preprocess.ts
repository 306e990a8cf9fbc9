/**
 * Pictures for ControlNets, where a small exact algorithm makes them.
 *
 * @module
 */

import { Image } from "./image.ts";
import { cannyEdges } from "./preprocess_canny.ts";

/** Thresholds of {@linkcode canny}. */
export interface CannyOptions {
  /** A weaker gradient is no edge. Default 100, as ControlNet's own. */
  readonly low?: number;
  /** A stronger one is, and so is what it is connected to. Default 200. */
  readonly high?: number;
}

/** White edges on black, equal to OpenCV's `Canny(image, low, high)` (Canny 1986). */
export function canny(image: Image, { low = 100, high = 200 }: CannyOptions = {}): Image {
  const edges = cannyEdges(image.withoutAlpha(), Math.min(low, high), Math.max(low, high));
  const data = new Uint8ClampedArray(3 * edges.length);
  edges.forEach((value, i) => data.fill(value, 3 * i, 3 * i + 3));
  return new Image(image.width, image.height, data);
}

/** Every channel turned around: dark lines on white to white lines on black. Keeps alpha. */
export function invert(image: Image): Image {
  const { channels } = image;
  const data = image.data.map((value, i) => channels === 4 && i % 4 === 3 ? value : 255 - value);
  return new Image(image.width, image.height, data);
}

/**
 * For the tile ControlNet: a blurred picture, each pixel the mean of `factor` x `factor`, of the
 * same size as before so that it fits the run.
 *
 * @throws {RangeError} unless the factor is a whole number from 1 to the shorter side.
 */
export function tile(image: Image, factor = 8): Image {
  const rgb = image.withoutAlpha(), { width, height } = rgb;
  if (!Number.isInteger(factor) || factor < 1 || factor > Math.min(width, height)) {
    throw new RangeError(
      `Cannot blur for the tile ControlNet: the factor must be a whole number from 1 to ` +
        `${Math.min(width, height)}; got ${factor}.`,
    );
  }
  const columns = Math.ceil(width / factor), rows = Math.ceil(height / factor);
  const sums = new Float64Array(3 * columns * rows), counts = new Uint32Array(columns * rows);
  for (let i = 0; i < width * height; i++) {
    const cell = Math.floor(Math.floor(i / width) / factor) * columns +
      Math.floor((i % width) / factor);
    counts[cell]!++;
    for (let c = 0; c < 3; c++) sums[3 * cell + c]! += rgb.data[3 * i + c]!;
  }
  const small = Uint8ClampedArray.from(sums, (sum, i) => sum / counts[Math.floor(i / 3)]!);
  return new Image(columns, rows, small).resize(width, height, "bicubic");
}
