import type { Color } from "./animation_gif.ts";
import type { Pixels } from "./pixels.ts";

/** Shares of a pixel's error that go to the next one, and to three of the row below. */
const NEXT = 7 / 16, BELOW_BEFORE = 3 / 16, BELOW = 5 / 16, BELOW_NEXT = 1 / 16;

/**
 * The palette's place for each pixel, with the error of each spread to those that come after
 * (Floyd and Steinberg, 1976), rows in turns from the left and from the right.
 */
export function ditherToPalette(picture: Pixels, palette: readonly Color[]): Uint8Array {
  const { width, height, channels, data } = picture;
  const nearest = nearestIn(palette);
  const index = new Uint8Array(width * height);
  // One more pixel on either side takes the errors that fall off the edge.
  let errors = new Float32Array(3 * (width + 2)), below = new Float32Array(errors.length);
  const wanted = new Float32Array(3);
  for (let y = 0; y < height; y++) {
    const step = y % 2 === 0 ? 1 : -1, ahead = 3 * step;
    for (let i = 0, x = step > 0 ? 0 : width - 1; i < width; i++, x += step) {
      const from = (y * width + x) * channels, at = 3 * (x + 1);
      for (let k = 0; k < 3; k++) wanted[k] = clamp(data[from + k]! + errors[at + k]!);
      const place = nearest(wanted[0]!, wanted[1]!, wanted[2]!), color = palette[place]!;
      index[y * width + x] = place;
      for (let k = 0; k < 3; k++) {
        const error = wanted[k]! - color[k]!;
        errors[at + ahead + k]! += error * NEXT;
        below[at - ahead + k]! += error * BELOW_BEFORE;
        below[at + k]! += error * BELOW;
        below[at + ahead + k]! += error * BELOW_NEXT;
      }
    }
    [errors, below] = [below, errors.fill(0)];
  }
  return index;
}

function clamp(value: number): number {
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

/** Finds the nearest colour; asked again for one of the same upper 5 bits, it remembers. */
function nearestIn(palette: readonly Color[]): (r: number, g: number, b: number) => number {
  const known = new Int16Array(2 ** 15).fill(-1);
  return (r, g, b) => {
    const key = r >> 3 << 10 | g >> 3 << 5 | b >> 3;
    if (known[key]! >= 0) return known[key]!;
    let best = 0, least = Infinity;
    palette.forEach((color, place) => {
      const distance = (r - color[0]) ** 2 + (g - color[1]) ** 2 + (b - color[2]) ** 2;
      if (distance < least) [best, least] = [place, distance];
    });
    return known[key] = best;
  };
}
