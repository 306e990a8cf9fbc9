/**
 * A 3x3 convolution of a picture whose pixels were doubled (nearest): most of its nine places see the
 * same pixels. Each of the four pixels that one becomes is a 2x2 convolution of the original, with sums
 * of the kernel's elements: 4 products in place of 9, equal but for rounding.
 */
import { fixedShape } from "../shape.ts";
import { constant, type Value } from "../value.ts";
import { conv } from "./conv.ts";
import { concat } from "./join.ts";
import { matMul } from "./linalg.ts";
import { reshape } from "./movement.ts";

/** [top, left, bottom, right] */
type Pads = readonly [number, number, number, number];

/**
 * Puts the pixels [N, M, h, w] of the four phases where they belong: [N, M, 2h, 2w]. `convolve` gives
 * those of a row and a column, 0 or 1 each, by a 2x2 convolution with these pads. Sizes are numbers.
 */
export function inPhases(
  x: Value,
  outputs: number,
  convolve: (phase: readonly [0 | 1, 0 | 1], pads: Pads) => Value,
): Value {
  const [n, , h, w] = fixedShape("inPhases", x.shape) as [number, number, number, number];
  const rows = ([0, 1] as const).map((row) => {
    const columns = ([0, 1] as const).map((column) => {
      const pixels = convolve([row, column], [1 - row, 1 - column, row, column]);
      return reshape(pixels, [n, outputs, h, w, 1]);
    });
    return reshape(concat(columns, 4), [n, outputs, h, 1, 2 * w]);
  });
  return reshape(concat(rows, 3), [n, outputs, 2 * h, 2 * w]);
}

/**
 * `w [M, C, 3, 3]` over `x [N, C, h, w]` with doubled pixels and one pixel of zeros around, plus
 * `b [M]`: [N, M, 2h, 2w]. `sums` is the matrix [9, 4] of a phase (weights/doubled_kernels.ts).
 */
export function doubledConv(
  x: Value,
  w: Value,
  b: Value | undefined,
  sums: (phase: readonly [0 | 1, 0 | 1]) => Float32Array<ArrayBuffer>,
): Value {
  const [outputs, inputs] = fixedShape("doubledConv", w.shape) as [number, number];
  const places = reshape(w, [outputs * inputs, 9]);
  return inPhases(x, outputs, (phase, pads) => {
    const kernel = matMul(places, constant(sums(phase), [9, 4]));
    return conv(x, reshape(kernel, [outputs, inputs, 2, 2]), b, { pads });
  });
}
