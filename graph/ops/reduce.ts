/** Sums, means and extremes along axes, softmax, and the index of the largest. */
import type { DType } from "../dtype.ts";
import { apply, applyAll, type OpDef, opTable } from "../op.ts";
import { axisOf, type Dim, elementCount, fixed, type Shape, ShapeError } from "../shape.ts";
import { constant, int64s, type TensorType, type Value } from "../value.ts";
import { cast, exp } from "./elementwise.ts";
import { div, equal, mul, sub } from "./arithmetic.ts";
import { expand, reshape } from "./movement.ts";

/** Options of a reduction. */
export interface ReduceOptions {
  /** What to reduce over; default: all. */
  readonly axes?: readonly number[];
  /** Keeps the reduced axes with size 1; default false. */
  readonly keepDims?: boolean;
}

interface ReduceAttributes {
  readonly keepdims: number;
  readonly axes: readonly number[];
}

type ReduceOp = OpDef<readonly [Value, Value], ReduceAttributes>;

function reduction(type: string, vjp: ReduceOp["vjp"]): ReduceOp {
  return {
    type,
    attributes: { keepdims: "int" }, // axes are an input since opset 13 (sum) and 18
    infer: ([x], { axes, keepdims }) => [{
      dtype: x.dtype,
      shape: keepdims ? keptShape(x.shape, axes) : x.shape.filter((_, i) => !axes.includes(i)),
    }],
    vjp,
  };
}

function keptShape(shape: Shape, axes: readonly number[]): Dim[] {
  return shape.map((dim, i) => axes.includes(i) ? 1 : dim);
}

/** A reduced tensor with its axes back as ones, so that it broadcasts against the unreduced. */
function kept(
  reduced: Value,
  node: { inputs: readonly [Value, Value]; attributes: ReduceAttributes },
) {
  return reshape(reduced, keptShape(node.inputs[0].shape, node.attributes.axes));
}

const extreme: ReduceOp["vjp"] = (g, node) => {
  const [x] = node.inputs;
  const chosen = cast(equal(x, kept(node.outputs[0] as Value, node)), x.dtype);
  const ties = reduceSum(chosen, { axes: node.attributes.axes, keepDims: true });
  return [mul(chosen, div(kept(g, node), ties)), null]; // ties share the cotangent
};

const ops = {
  sum: reduction("ReduceSum", (g, node) => [expand(kept(g, node), node.inputs[0].shape), null]),
  mean: reduction("ReduceMean", (g, node) => {
    const [x] = node.inputs;
    const count = sizeAlong(x.shape, node.attributes.axes);
    return [expand(kept(mul(g, 1 / count), node), x.shape), null];
  }),
  max: reduction("ReduceMax", extreme),
  min: reduction("ReduceMin", extreme),
};

function sizeAlong(shape: Shape, axes: readonly number[]): number {
  const count = elementCount(axes.map((axis) => shape[axis] ?? 1));
  if (typeof count === "number") return count;
  throw new RangeError(
    `Cannot differentiate ReduceMean: it averages over ${count} elements, a number is needed. ` +
      `Build the graph with fixed sizes.`,
  );
}

function reduce(def: ReduceOp): (x: Value, options?: ReduceOptions) => Value {
  return (x, { axes = x.shape.map((_, i) => i), keepDims = false } = {}) => {
    const positive = axes.map((axis) => axisOf(def.type, x.shape, axis));
    if (positive.length === 0) return x; // ONNX would take no axes to mean all of them
    return apply(def, [x, int64s(positive)], { axes: positive, keepdims: Number(keepDims) });
  };
}

/** Sum along axes. */
export const reduceSum: (x: Value, options?: ReduceOptions) => Value = reduce(ops.sum);
/** Mean along axes. */
export const reduceMean: (x: Value, options?: ReduceOptions) => Value = reduce(ops.mean);
/** Largest along axes; equal ones share the derivative. */
export const reduceMax: (x: Value, options?: ReduceOptions) => Value = reduce(ops.max);
/** Smallest along axes; equal ones share the derivative. */
export const reduceMin: (x: Value, options?: ReduceOptions) => Value = reduce(ops.min);

type AxisOp = OpDef<readonly [Value], { axis: number }>;

const softmaxOp: AxisOp = {
  type: "Softmax",
  attributes: { axis: "int" },
  infer: ([x]) => [x],
  // dx = y (g - sum(g y))
  vjp: (g, { attributes: { axis }, outputs: [y] }) => {
    const gy = mul(g, y as Value);
    return [sub(gy, mul(y as Value, reduceSum(gy, { axes: [axis], keepDims: true })))];
  },
};

const logSoftmaxOp: AxisOp = {
  type: "LogSoftmax",
  attributes: { axis: "int" },
  infer: ([x]) => [x],
  // dx = g - softmax(x) sum(g)
  vjp: (g, { attributes: { axis }, outputs: [y] }) => [
    sub(g, mul(exp(y as Value), reduceSum(g, { axes: [axis], keepDims: true }))),
  ],
};

/** `e^x / sum(e^x)` along an axis (default: the last). */
export function softmax(x: Value, axis = -1): Value {
  return apply(softmaxOp, [x], { axis: axisOf("Softmax", x.shape, axis) });
}

/** The logarithm of softmax, without its overflow. */
export function logSoftmax(x: Value, axis = -1): Value {
  return apply(logSoftmaxOp, [x], { axis: axisOf("LogSoftmax", x.shape, axis) });
}

const argMaxOp: OpDef<readonly [Value], { axis: number; keepdims: number }> = {
  type: "ArgMax",
  attributes: { axis: "int", keepdims: "int" },
  infer: ([x], { axis, keepdims }): TensorType[] => [{
    dtype: "int64",
    shape: keepdims ? keptShape(x.shape, [axis]) : x.shape.filter((_, i) => i !== axis),
  }],
  vjp: "zero",
};

/** int64: the index of the largest along an axis, the first of equals. */
export function argMax(x: Value, axis = -1, { keepDims = false } = {}): Value {
  return apply(argMaxOp, [x], {
    axis: axisOf("ArgMax", x.shape, axis),
    keepdims: Number(keepDims),
  });
}

type TopK = OpDef<readonly [Value, Value], { axis: number; largest: number; count: number }>;

const topKOp: TopK = {
  type: "TopK",
  attributes: { axis: "int", largest: "int" },
  infer: ([x], { axis, count }): TensorType[] => {
    const shape = x.shape.map((size, i) => i === axis ? count : size);
    return [{ dtype: x.dtype, shape }, { dtype: "int64", shape }];
  },
  vjp: "zero", // of the indices, which are all that is used
};

/** int64: the indices of the `count` largest along an axis, falling; or of the smallest, rising. */
export function argTopK(x: Value, count: number, { axis = -1, largest = true } = {}): Value {
  const at = axisOf("TopK", x.shape, axis), size = fixed("TopK", x.shape, at);
  if (count > size) throw new ShapeError("TopK", [x.shape], `axis ${at} has no ${count} elements.`);
  const attributes = { axis: at, largest: Number(largest), count };
  return applyAll(topKOp, [x, int64s([count])], attributes)[1]!;
}

/** Zeros of a type, taking no room in the file. */
export function zeros(dtype: DType, shape: Shape): Value {
  return expand(constant(0, [], dtype), shape);
}

/** Every operation here, for tables of tests. */
export const reduceOps: readonly OpDef[] = opTable(
  ...Object.values(ops),
  softmaxOp,
  logSoftmaxOp,
  argMaxOp,
  topKOp,
);
