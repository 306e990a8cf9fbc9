/** Reading and writing by index: gather and scatter, and tensors made of sizes and positions. */
import { apply, type OpDef, opTable, sameDtype } from "../op.ts";
import { axisOf, type Dim, sameShape, ShapeError } from "../shape.ts";
import { constant, type Value } from "../value.ts";
import { zeros } from "./reduce.ts";
import { transpose, unsqueeze } from "./movement.ts";

type Pair = readonly [Value, Value];

const gatherOp: OpDef<Pair, { axis: number }> = {
  type: "Gather",
  attributes: { axis: "int" },
  infer: ([x, indices], { axis }) => [{
    dtype: x.dtype,
    shape: [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)],
  }],
  // The rows read are the rows written: bring the axis to the front, add each slice where it came from.
  vjp: (g, { inputs: [x, indices], attributes: { axis } }) => {
    const rank = x.shape.length, count = indices.shape.length;
    const order = Array.from(g.shape.keys());
    const perm = [...order.splice(axis, count), ...order];
    const toFront = [axis, ...Array.from(x.shape.keys()).filter((i) => i !== axis)];
    const updates = transpose(g, perm);
    const base = zeros(x.dtype, toFront.map((i) => x.shape[i] as Dim));
    const sum = scatterND(base, unsqueeze(indices, count), updates, "add");
    return [transpose(sum, Array.from({ length: rank }, (_, i) => toFront.indexOf(i))), null];
  },
  jvp: ([t], { inputs: [, indices], attributes: { axis } }) => [t && gather(t, indices, axis)],
};

/** Slices of `x` along an axis, at integer indices of any shape (an embedding lookup for axis 0). */
export function gather(x: Value, indices: Value, axis = 0): Value {
  return apply(gatherOp, [x, indices], { axis: axisOf("Gather", x.shape, axis) });
}

const gatherElementsOp: OpDef<Pair, { axis: number }> = {
  type: "GatherElements",
  attributes: { axis: "int" },
  infer: ([x, indices]) => [{ dtype: x.dtype, shape: indices.shape }],
  vjp: (g, { inputs: [x, indices], attributes: { axis } }) => [
    scatterElements(zeros(x.dtype, x.shape), indices, g, { axis, reduction: "add" }),
    null,
  ],
};

/** One element for each index: `y[i][j] = x[index[i][j]][j]` for axis 0. Same rank as `x`. */
export function gatherElements(x: Value, indices: Value, axis = 0): Value {
  if (x.shape.length !== indices.shape.length) {
    throw new ShapeError("GatherElements", [x.shape, indices.shape], "the ranks must be equal.");
  }
  return apply(gatherElementsOp, [x, indices], { axis: axisOf("GatherElements", x.shape, axis) });
}

const gatherNDOp: OpDef<Pair, object> = {
  type: "GatherND",
  infer: ([x, indices]) => [{
    dtype: x.dtype,
    shape: [...indices.shape.slice(0, -1), ...x.shape.slice(indices.shape.at(-1) as number)],
  }],
  vjp: (g, { inputs: [x, indices] }) => [
    scatterND(zeros(x.dtype, x.shape), indices, g, "add"),
    null,
  ],
};

/** Slices of `x` at index tuples: the last axis of `indices` is a tuple over the first axes of `x`. */
export function gatherND(x: Value, indices: Value): Value {
  const length = indices.shape.at(-1);
  if (typeof length !== "number" || length > x.shape.length) {
    throw new ShapeError("GatherND", [x.shape, indices.shape], "the index tuples are too long.");
  }
  return apply(gatherNDOp, [x, indices], {});
}

/** What becomes of two elements at one place: the new one, or the sum of old and new. */
export type Reduction = "none" | "add";

type Scatter<A> = OpDef<readonly [Value, Value, Value], A & { reduction: Reduction }>;

const scatterNDOp: Scatter<object> = {
  type: "ScatterND",
  attributes: { reduction: "string" },
  infer: ([x, indices, updates]) => {
    sameDtype("ScatterND", [x, updates]);
    const depth = indices.shape.at(-1) as number;
    const expected = [...indices.shape.slice(0, -1), ...x.shape.slice(depth)];
    if (sameShape(expected, updates.shape)) return [x];
    const shapes = [x.shape, indices.shape, updates.shape];
    throw new ShapeError(
      "ScatterND",
      shapes,
      `expected updates of shape [${expected.join(", ")}].`,
    );
  },
  vjp: (g, { inputs: [, indices, updates], attributes: { reduction } }) => [
    reduction === "add" ? g : scatterND(g, indices, zeros(g.dtype, updates.shape)),
    null,
    gatherND(g, indices),
  ],
};

/** `x` with slices at index tuples replaced by, or added to, `updates`. */
export function scatterND(
  x: Value,
  indices: Value,
  updates: Value,
  reduction: Reduction = "none",
): Value {
  return apply(scatterNDOp, [x, indices, updates], { reduction });
}

const scatterElementsOp: Scatter<{ axis: number }> = {
  type: "ScatterElements",
  attributes: { axis: "int", reduction: "string" },
  infer: ([x, , updates]) => {
    sameDtype("ScatterElements", [x, updates]);
    return [x];
  },
  vjp: (g, { inputs: [, indices, updates], attributes: { axis, reduction } }) => [
    reduction === "add"
      ? g
      : scatterElements(g, indices, zeros(g.dtype, updates.shape), { axis, reduction }),
    null,
    gatherElements(g, indices, axis),
  ],
};

/** `x` with single elements along an axis replaced by, or added to, `updates`. */
export function scatterElements(
  x: Value,
  indices: Value,
  updates: Value,
  { axis = 0, reduction = "none" as Reduction } = {},
): Value {
  const at = axisOf("ScatterElements", x.shape, axis);
  return apply(scatterElementsOp, [x, indices, updates], { axis: at, reduction });
}

const shapeOp: OpDef<readonly [Value], object> = {
  type: "Shape",
  infer: ([x]) => [{ dtype: "int64", shape: [x.shape.length] }],
  vjp: "zero",
};

/** int64: the sizes of `x` when the graph runs. */
export function shapeOf(x: Value): Value {
  return apply(shapeOp, [x], {});
}

const rangeOp: OpDef<readonly [Value, Value, Value], { count: Dim }> = {
  type: "Range",
  infer: ([start], { count }) => [{ dtype: start.dtype, shape: [count] }],
  vjp: "zero",
};

/** `start, start + step, ...` below `limit`, made when the graph runs: int64 scalars. */
export function range(limit: Value, { start = 0, step = 1, count = "range" as Dim } = {}): Value {
  const scalars = [
    constant(start, [], limit.dtype),
    limit,
    constant(step, [], limit.dtype),
  ] as const;
  return apply(rangeOp, scalars, { count });
}

const triluOp: OpDef<readonly [Value], { upper: number }> = {
  type: "Trilu",
  attributes: { upper: "int" },
  infer: ([x]) => [x],
  vjp: (g, { attributes: { upper } }) => [upper ? triangleUpper(g) : triangleLower(g)],
};

/** The lower triangle of the last two axes, diagonal included; zeros above. */
export function triangleLower(x: Value): Value {
  return apply(triluOp, [x], { upper: 0 });
}

/** The upper triangle of the last two axes, diagonal included; zeros below. */
export function triangleUpper(x: Value): Value {
  return apply(triluOp, [x], { upper: 1 });
}

/** Every operation here, for tables of tests. */
export const indexOps: readonly OpDef[] = opTable(
  gatherOp,
  gatherElementsOp,
  gatherNDOp,
  scatterNDOp,
  scatterElementsOp,
  shapeOp,
  rangeOp,
  triluOp,
);
