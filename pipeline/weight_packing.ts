/**
 * Which weights are worth a copy in memory. ONNX Runtime reorders the constants of convolutions
 * (NCHWc) and packs those of matrix products when it loads a model: a third and a tenth faster, but
 * anonymous memory and time to load. A layer over many pixels gains much for few bytes.
 *
 * @module
 */

import { reachable } from "../graph/reachable.ts";
import type { Value } from "../graph/value.ts";
import { weightBehind } from "../graph/weight_views.ts";
import type { GraphModel } from "../models/graph_model.ts";

/** Rows of one picture that a product has at least for a packed weight to pay. */
const FEWEST_ROWS = 128;

/** How many bytes of weights may be copied. */
export interface PackingLimits {
  /** Of the weights that are worth it. */
  readonly budget: number;
  /** A model of no more is copied whole: cheap, and its products round alike in every batch. */
  readonly small: number;
}

const PRODUCTS: ReadonlySet<string> = new Set(["Conv", "FusedMatMul", "Gemm", "MatMul"]);

/**
 * The weights to leave mapped: all but those with the most rows (pixels), up to the budget; of equal
 * rows convolutions first, which gain more. Rows are counted for one picture: kernels for packed
 * weights round otherwise, and a picture must not depend on how many are drawn beside it.
 */
export function weightsLeftMapped(
  model: GraphModel,
  { budget, small }: PackingLimits,
): Set<Value> {
  const uses = reachable(Object.values(model.outputs)).flatMap(({ op, inputs, outputs }) => {
    const [, weight] = inputs, [result] = outputs;
    if (!weight || !result || !PRODUCTS.has(op.type) || !weightBehind(weight)) return [];
    const [, ...sizes] = result.shape.map(Number);
    const width = op.type === "Conv" ? sizes[0]! : sizes.at(-1)!;
    const rows = sizes.reduce((a, b) => a * b, 1) / width;
    const bytes = weight.shape.reduce<number>((a, b) => a * Number(b), 4);
    return [{ weight, rows, bytes, convolution: op.type === "Conv" }];
  });
  const total = uses.reduce((sum, { bytes }) => sum + bytes, 0);
  if (total <= small) return new Set();
  uses.sort((a, b) => b.rows - a.rows || Number(b.convolution) - Number(a.convolution));
  const left = new Set<Value>();
  let packed = 0;
  for (const { weight, rows, bytes } of uses) {
    packed += bytes;
    // Named sizes have no rows to count: NaN, and left mapped.
    if (!(rows >= FEWEST_ROWS && packed <= budget)) left.add(weight);
  }
  return left;
}
