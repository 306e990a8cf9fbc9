/** FreeU: a stronger backbone, and skip connections with less of their lowest frequencies. */
import { add, mul } from "../graph/ops/arithmetic.ts";
import { concat, split } from "../graph/ops/join.ts";
import { matMul } from "../graph/ops/linalg.ts";
import { cast } from "../graph/ops/elementwise.ts";
import { fixed } from "../graph/shape.ts";
import { constant, type Value } from "../graph/value.ts";
import type { FreeU } from "./unet_variant.ts";

/** The factors of one up block. */
export interface FreeUFactors {
  readonly backbone: number;
  readonly skip: number;
}

/** The factors of up block `i`; only the two coarsest have any. */
export function freeUFactors({ b1, b2, s1, s2 }: FreeU, i: number): FreeUFactors | undefined {
  return [{ backbone: b1, skip: s1 }, { backbone: b2, skip: s2 }][i];
}

/**
 * The input and the skip of an up block's layer, both [B, C, h, w] (Si et al. 2023,
 * arXiv:2309.11497, as diffusers' apply_freeu): half of the input's channels are multiplied, and
 * the skip's four frequencies around zero, as the shifted transform has them: -1 and 0 each way.
 */
export function strengthen(h: Value, skip: Value, factors: FreeUFactors): [Value, Value] {
  const channels = fixed("freeU", h.shape, 1), half = channels >> 1;
  const [first, second] = split(h, [half, channels - half], 1) as [Value, Value];
  const backbone = concat(
    [cast(mul(cast(first, "float32"), factors.backbone), h.dtype), second],
    1,
  );
  const x = cast(skip, "float32");
  const filtered = add(x, mul(lowest(x), factors.skip - 1));
  return [backbone, cast(filtered, skip.dtype)];
}

/**
 * The part of `x` in those four frequencies. The transform is a sum of products over rows and
 * columns, so its real part is two products of matrices on either side.
 */
function lowest(x: Value): Value {
  const height = fixed("freeU", x.shape, 2), width = fixed("freeU", x.shape, 3);
  const rows = projection(height), columns = projection(width);
  const both = (a: Value, b: Value) => matMul(matMul(a, x), b);
  // The imaginary matrices are antisymmetric: transposing the right one changes its sign.
  return add(both(rows.real, columns.real), both(rows.imaginary, columns.imaginary));
}

/** 1/n (1 + exp(-2 pi i d / n)) for every distance d = y - y': frequencies 0 and -1. */
function projection(n: number): { real: Value; imaginary: Value } {
  const matrix = (of: (angle: number) => number) => {
    const data = new Float32Array(n * n);
    for (let y = 0; y < n; y++) {
      for (let k = 0; k < n; k++) data[y * n + k] = of((-2 * Math.PI * (y - k)) / n) / n;
    }
    return constant(data, [n, n]);
  };
  // A single place has one frequency.
  if (n === 1) return { real: matrix(() => 1), imaginary: matrix(() => 0) };
  return { real: matrix((angle) => 1 + Math.cos(angle)), imaginary: matrix(Math.sin) };
}
