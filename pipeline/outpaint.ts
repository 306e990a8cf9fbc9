/**
 * Outpainting: a picture on a larger canvas, with the mask of what is new.
 *
 * @module
 */

import { Image } from "./image.ts";

/** Pixels to add on each side; absent ones are 0. */
export interface Extension {
  /** Columns on the left. */
  readonly left?: number;
  /** Rows above. */
  readonly top?: number;
  /** Columns on the right. */
  readonly right?: number;
  /** Rows below. */
  readonly bottom?: number;
}

/** A picture with what is to be painted in it. */
export interface Canvas {
  /** The picture with room around it. */
  readonly image: Image;
  /** Bright where it is to be painted. */
  readonly mask: Image;
}

/**
 * Grows the canvas. The new part repeats the picture's border, so that a run of less than full
 * strength begins in its colours; `mask`, where given, is painted as well.
 *
 * @throws {RangeError} unless the sides are whole numbers from 0 on.
 */
export function extendCanvas(image: Image, extension: Extension, mask?: Image): Canvas {
  const { left = 0, top = 0, right = 0, bottom = 0 } = extension;
  for (const [side, pixels] of Object.entries({ left, top, right, bottom })) {
    if (Number.isInteger(pixels) && pixels >= 0) continue;
    throw new RangeError(
      `Cannot extend the picture: ${side} must be a whole number of pixels; got ${pixels}.`,
    );
  }
  const width = image.width + left + right, height = image.height + top + bottom;
  const place = (of: (x: number, y: number, inside: boolean) => readonly number[]) => {
    const data = new Uint8ClampedArray(3 * width * height);
    for (let y = 0, at = 0; y < height; y++) {
      for (let x = 0; x < width; x++, at += 3) {
        const column = clamp(x - left, image.width), row = clamp(y - top, image.height);
        data.set(of(column, row, column === x - left && row === y - top), at);
      }
    }
    return new Image(width, height, data);
  };
  const { channels, data } = image;
  const inner = mask?.resize(image.width, image.height).toGray();
  return {
    image: place((x, y) => {
      const at = (y * image.width + x) * channels;
      return [data[at]!, data[at + 1]!, data[at + 2]!];
    }),
    mask: place((x, y, inside) => {
      const value = inside ? inner?.[y * image.width + x] ?? 0 : 255;
      return [value, value, value];
    }),
  };
}

const clamp = (at: number, size: number) => Math.min(Math.max(at, 0), size - 1);
