/**
 * A convolution as a matrix product: the pixels under each place of the kernel side by side (im2col).
 * For products that ONNX Runtime has no convolution for.
 */
import { byteSize } from "../dtype.ts";
import { fixed } from "../shape.ts";
import type { Value } from "../value.ts";
import { concat, pad, slice } from "./join.ts";

/** Sizes of a two-dimensional convolution. */
export interface UnfoldOptions {
  /** Height and width of the kernel. */
  readonly kernel: readonly [number, number];
  /** From one place of the kernel to the next. */
  readonly strides: readonly number[];
  /** [top, left, bottom, right] */
  readonly pads: readonly number[];
  /** What the picture is padded with: a number, or a scalar. Default 0. */
  readonly fill?: number | Value;
  /** Unfolded pixels in memory at once, in bytes; default 32 MiB. */
  readonly stripBytes?: number;
}

/** The nine copies of a picture would take more memory than anything else in a network. */
const STRIP_BYTES = 32 << 20;

/**
 * Slides `product` over `x` [N, h, w, C]: it gets [N, rows, w', kh * kw * C], the pixels under a
 * place of the kernel, row by row, and gives [N, rows, w', M]. Returns [N, h', w', M]. Called once
 * for each strip of rows.
 */
export function overWindows(
  x: Value,
  { kernel: [kh, kw], strides, pads, fill = 0, stripBytes = STRIP_BYTES }: UnfoldOptions,
  product: (windows: Value) => Value,
): Value {
  const [top, left, bottom, right] = pads as [number, number, number, number];
  const padded = pad(x, [[0], [top, bottom], [left, right], [0]], { value: fill });
  const size = (axis: number, k: number) =>
    Math.floor((fixed("overWindows", padded.shape, axis) - k) / strides[axis - 1]!) + 1;
  const rows = size(1, kh), columns = size(2, kw);
  const [batch] = x.shape, channels = fixed("overWindows", x.shape, 3);
  const rowBytes = (typeof batch === "number" ? batch : 1) * columns * kh * kw * channels *
    byteSize(x.dtype);
  const strip = Math.max(1, Math.floor(stripBytes / rowBytes));
  const strips: Value[] = [];
  for (let start = 0; start < rows; start += strip) {
    const count = Math.min(strip, rows - start);
    const taps = Array.from({ length: kh * kw }, (_, i) => {
      const from = [start * strides[0]! + Math.floor(i / kw), i % kw] as const;
      const to = [
        from[0] + (count - 1) * strides[0]! + 1,
        from[1] + (columns - 1) * strides[1]! + 1,
      ];
      return slice(padded, from, to, [1, 2], strides);
    });
    strips.push(product(concat(taps, 3)));
  }
  return concat(strips, 1);
}
