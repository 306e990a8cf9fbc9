import { add, div, min, mul } from "../graph/ops/arithmetic.ts";
import { sqrt } from "../graph/ops/elementwise.ts";
import { reduceSum } from "../graph/ops/reduce.ts";
import type { Value } from "../graph/value.ts";
import { square } from "./losses.ts";

/** The length of all values taken as one vector: a scalar. */
export function globalNorm(values: readonly Value[]): Value {
  return sqrt(values.map((value) => reduceSum(square(value))).reduce((a, b) => add(a, b)));
}

/** Gradients shortened together to `most` where they are longer, as `clip_grad_norm_` of torch. */
export function clipByNorm(gradients: readonly Value[], norm: Value, most: number): Value[] {
  const factor = min(div(most, add(norm, 1e-6)), 1);
  return gradients.map((g) => mul(g, factor));
}
