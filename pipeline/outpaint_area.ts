/**
 * The part of a picture around its mask, and how it is fitted to the size of a run and back.
 *
 * @module
 */

import { Image } from "./image.ts";

/** A rectangle in pixels. */
export interface Area {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Width and height in pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/**
 * The smallest rectangle with all of the mask and `padding` around it, widened towards the
 * proportions of `run` as far as the picture goes (diffusers' get_crop_region).
 *
 * @throws {RangeError} for a mask without a bright pixel.
 */
export function maskedArea(mask: Image, run: Size, padding: number): Area {
  const gray = mask.toGray(), { width, height } = mask;
  let left = width, right = 0, top = height, bottom = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (gray[y * width + x] === 0) continue;
      [left, right] = [Math.min(left, x), Math.max(right, x + 1)];
      [top, bottom] = [Math.min(top, y), Math.max(bottom, y + 1)];
    }
  }
  if (right === 0) throw new RangeError("Cannot paint the masked area: the mask is all black.");
  const across = { from: Math.max(left - padding, 0), to: Math.min(right + padding, width) };
  const down = { from: Math.max(top - padding, 0), to: Math.min(bottom + padding, height) };
  const proportion = run.width / run.height;
  const isWide = (across.to - across.from) / (down.to - down.from) > proportion;
  const [x, y] = isWide
    ? [across, widened(down, (across.to - across.from) / proportion, height)]
    : [widened(across, (down.to - down.from) * proportion, width), down];
  return { x: x.from, y: y.from, width: x.to - x.from, height: y.to - y.from };
}

interface Range {
  readonly from: number;
  readonly to: number;
}

/** Makes a range `length` long about its middle, pushed and then cut to 0..limit. */
function widened({ from, to }: Range, length: number, limit: number): Range {
  const more = Math.trunc(length - (to - from)), before = Math.floor(more / 2);
  let start = from - before, end = to + more - before;
  if (end >= limit) [start, end] = [start - (end - limit), limit];
  if (start < 0) [start, end] = [0, Math.min(end - start, limit)];
  return { from: start, to: end };
}

/** Fits the whole picture into `size`; what it leaves free repeats its border (diffusers' "fill"). */
export function fitInside(image: Image, size: Size): Image {
  const wide = image.width / image.height > size.width / size.height;
  const inner = scaled(image, size, wide);
  const x = half(size.width) - half(inner.width), y = half(size.height) - half(inner.height);
  const data = new Uint8ClampedArray(3 * size.width * size.height);
  const pixel = (column: number, row: number) => {
    const at = 3 * (row * inner.width + column);
    return inner.data.subarray(at, at + 3);
  };
  const clamp = (at: number, limit: number) => Math.min(Math.max(at, 0), limit - 1);
  for (let row = 0, at = 0; row < size.height; row++) {
    for (let column = 0; column < size.width; column++, at += 3) {
      data.set(pixel(clamp(column - x, inner.width), clamp(row - y, inner.height)), at);
    }
  }
  return new Image(size.width, size.height, data);
}

/** Fills `size` with the middle of the picture (diffusers' "crop"). */
export function fitOutside(image: Image, size: Size): Image {
  const wide = image.width / image.height >= size.width / size.height;
  const larger = scaled(image, size, !wide);
  const x = half(larger.width) - half(size.width), y = half(larger.height) - half(size.height);
  return larger.crop(Math.max(x, 0), Math.max(y, 0), size.width, size.height);
}

/** The picture with the width, or the height, of `size`. */
function scaled(image: Image, { width, height }: Size, byWidth: boolean): Image {
  const rgb = image.withoutAlpha();
  return byWidth
    ? rgb.resize(width, Math.max(1, Math.floor((image.height * width) / image.width)))
    : rgb.resize(Math.max(1, Math.floor((image.width * height) / image.height)), height);
}

const half = (size: number) => Math.floor(size / 2);
