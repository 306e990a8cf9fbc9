/**
 * A Gaussian blur, as Pillow's: three box blurs with soft edges, each way.
 *
 * @module
 */

/** Box blurs in a row; their sum is close to a bell (Pillow's BoxBlur.c). */
const PASSES = 3;

/** Blurs a gray picture, Uint8Array [height, width], by `radius` pixels; returns another. */
export function blurGray(
  gray: Uint8Array,
  { width, height }: { readonly width: number; readonly height: number },
  radius: number,
): Uint8Array {
  if (!(radius > 0)) return gray.slice();
  const box = boxRadius(radius), out = gray.slice();
  for (let y = 0; y < height; y++) blurLine(out, { at: y * width, step: 1, count: width }, box);
  for (let x = 0; x < width; x++) blurLine(out, { at: x, step: width, count: height }, box);
  return out;
}

/** The radius of the boxes that have together the variance of a Gaussian. */
function boxRadius(radius: number): number {
  const variance = radius ** 2 / PASSES;
  const whole = Math.floor((Math.sqrt(12 * variance + 1) - 1) / 2);
  const rest = (2 * whole + 1) * (whole * (whole + 1) - 3 * variance);
  return whole + rest / (6 * (variance - (whole + 1) ** 2));
}

interface Line {
  readonly at: number;
  readonly step: number;
  readonly count: number;
}

/** Blurs one line, in place; beyond its ends the last pixels go on. */
function blurLine(data: Uint8Array, { at, step, count }: Line, radius: number): void {
  const whole = Math.floor(radius), full = Math.trunc(2 ** 24 / (radius * 2 + 1));
  const soft = Math.trunc((2 ** 24 - (whole * 2 + 1) * full) / 2);
  let line = Float64Array.from({ length: count }, (_, i) => data[at + i * step]!);
  for (let pass = 0; pass < PASSES; pass++) {
    const pixel = (i: number) => line[Math.min(Math.max(i, 0), count - 1)]!;
    let sum = 0;
    for (let i = -whole; i <= whole; i++) sum += pixel(i);
    const next = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      const edges = pixel(i - whole - 1) + pixel(i + whole + 1);
      next[i] = Math.floor((sum * full + edges * soft + 2 ** 23) / 2 ** 24);
      sum += pixel(i + whole + 1) - pixel(i - whole);
    }
    line = next;
  }
  for (let i = 0; i < count; i++) data[at + i * step] = line[i]!;
}
