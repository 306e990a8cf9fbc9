/** Operations that move elements without computing: reshape, transpose, expand, squeeze, tile. */
import { apply, type OpDef, opTable } from "../op.ts";
import {
  axisOf,
  broadcastShapes,
  type Dim,
  divideSizes,
  fixed,
  sameShape,
  type Shape,
  ShapeError,
} from "../shape.ts";
import { int64s, type TensorType, type Value } from "../value.ts";
import { reduceSum } from "./reduce.ts";
import { concat, slice } from "./join.ts";
import { shapeOf } from "./indexing.ts";

type WithShape = OpDef<readonly [Value, Value], { shape: Shape }>;

const reshapeOp: WithShape = {
  type: "Reshape", // the sizes are an input; a 0 there copies, -1 is what is left
  infer: ([x], { shape }) => [{ dtype: x.dtype, shape }],
  vjp: (g, { inputs: [x] }) => [reshape(g, x.shape), null],
};

/**
 * The same elements in another shape. One size may be -1: what is left. A symbol may stand at the place
 * it has in `x`, or one symbol anywhere. Throws ShapeError when the sizes do not multiply up.
 */
export function reshape(x: Value, shape: readonly Dim[]): Value {
  const target = resolveShape(x.shape, shape);
  if (sameShape(target, x.shape)) return x;
  return apply(reshapeOp, [x, int64s(onnxSizes(x.shape, target))], { shape: target });
}

/** The same with sizes that are computed: a vector of int64, which must come out as `shape`. */
export function reshapeTo(x: Value, sizes: Value, shape: Shape): Value {
  return apply(reshapeOp, [x, sizes], { shape });
}

function resolveShape(from: Shape, shape: Shape): Dim[] {
  const unknown = shape.indexOf(-1);
  if (unknown !== shape.lastIndexOf(-1)) {
    throw new ShapeError("Reshape", [from, shape], "only one size can be -1.");
  }
  const rest = divideSizes(from, shape.filter((dim) => dim !== -1));
  if (rest === undefined || (unknown < 0 && rest !== 1)) {
    throw new ShapeError("Reshape", [from, shape], "the numbers of elements differ.");
  }
  return shape.map((dim) => dim === -1 ? rest : dim);
}

/** Sizes as ONNX takes them: symbols become 0 (copied from the same place) or one -1. */
function onnxSizes(from: Shape, target: Shape): number[] {
  const sizes = target.map((dim, i) => typeof dim === "number" ? dim : dim === from[i] ? 0 : -1);
  if (sizes.filter((size) => size === -1).length <= 1) return sizes;
  throw new ShapeError(
    "Reshape",
    [from, target],
    "more than one symbolic size moves. Build the graph with numbers for all but one.",
  );
}

const transposeOp: OpDef<readonly [Value], { perm: readonly number[] }> = {
  type: "Transpose",
  attributes: { perm: "ints" },
  infer: ([x], { perm }) => [{ dtype: x.dtype, shape: perm.map((axis) => x.shape[axis] as Dim) }],
  vjp: (g, { attributes: { perm } }) => [transpose(g, perm.map((_, axis) => perm.indexOf(axis)))],
};

/** Reorders axes: result axis i is axis `perm[i]` of `x`. By default all are reversed. */
export function transpose(x: Value, perm: readonly number[] = x.shape.map((_, i) => ~i)): Value {
  const axes = perm.map((axis) => axisOf("Transpose", x.shape, axis));
  if (axes.length !== x.shape.length || new Set(axes).size !== axes.length) {
    throw new ShapeError("Transpose", [x.shape], `perm [${perm}] does not name each axis once.`);
  }
  return axes.every((axis, i) => axis === i) ? x : apply(transposeOp, [x], { perm: axes });
}

const expandOp: WithShape = {
  type: "Expand",
  infer: ([x], { shape }) => [{ dtype: x.dtype, shape }],
  vjp: (g) => [g, null], // the reverse pass sums over what was broadcast
};

/**
 * Broadcasts to a shape; sizes of 1 in it keep those of `x`. Symbols are allowed where `x` has them;
 * a new symbolic size needs a tensor that has it: see `expandLike`.
 */
export function expand(x: Value, shape: readonly Dim[]): Value {
  const target = broadcastShapes("Expand", x.shape, shape);
  if (sameShape(target, x.shape)) return x;
  const sizes = target.map((dim, i) => {
    if (typeof dim === "number") return dim;
    if (dim === x.shape[i - target.length + x.shape.length]) return 1;
    throw new ShapeError("Expand", [x.shape, shape], `${dim} is not known here. Use expandLike().`);
  });
  return apply(expandOp, [x, int64s(sizes)], { shape: target });
}

/** Broadcasts to the shape of another tensor, symbolic or not. */
export function expandLike(x: Value, like: Value): Value {
  const target = broadcastShapes("Expand", x.shape, like.shape);
  if (target.every((dim) => typeof dim === "number")) return expand(x, target);
  return apply(expandOp, [x, shapeOf(like)], { shape: target });
}

interface AxesAttributes {
  readonly axes: readonly number[];
}

const unsqueezeOp: OpDef<readonly [Value, Value], AxesAttributes> = {
  type: "Unsqueeze",
  infer: ([x], { axes }) => {
    const rest = [...x.shape];
    const rank = x.shape.length + axes.length;
    const shape = Array.from(
      { length: rank },
      (_, i) => axes.includes(i) ? 1 : rest.shift() as Dim,
    );
    return [{ dtype: x.dtype, shape }];
  },
  vjp: (g, { attributes: { axes } }) => [squeeze(g, axes), null],
};

/** Inserts axes of size 1; axes count in the result. */
export function unsqueeze(x: Value, axes: readonly number[] | number): Value {
  const list = typeof axes === "number" ? [axes] : axes;
  const room = Array<Dim>(x.shape.length + list.length).fill(1);
  const positive = list.map((axis) => axisOf("Unsqueeze", room, axis));
  return apply(unsqueezeOp, [x, int64s(positive)], { axes: positive });
}

const squeezeOp: OpDef<readonly [Value, Value], AxesAttributes> = {
  type: "Squeeze",
  infer: ([x], { axes }): TensorType[] => {
    const wrong = axes.find((axis) => x.shape[axis] !== 1);
    if (wrong !== undefined) {
      throw new ShapeError("Squeeze", [x.shape], `axis ${wrong} is ${x.shape[wrong]}, expected 1.`);
    }
    return [{ dtype: x.dtype, shape: x.shape.filter((_, i) => !axes.includes(i)) }];
  },
  vjp: (g, { attributes: { axes } }) => [unsqueeze(g, axes), null],
};

/** Removes axes of size 1; by default all of them. */
export function squeeze(x: Value, axes?: readonly number[] | number): Value {
  const list = typeof axes === "number"
    ? [axes]
    : axes ?? x.shape.flatMap((dim, i) => dim === 1 ? [i] : []);
  if (list.length === 0) return x;
  const positive = list.map((axis) => axisOf("Squeeze", x.shape, axis));
  return apply(squeezeOp, [x, int64s(positive)], { axes: positive });
}

const tileOp: OpDef<readonly [Value, Value], { repeats: readonly number[] }> = {
  type: "Tile",
  infer: ([x], { repeats }) => [{
    dtype: x.dtype,
    shape: repeats.map((count, i) =>
      count === 1 ? x.shape[i] as Dim : count * fixed("Tile", x.shape, i)
    ),
  }],
  vjp: (g, { inputs: [x], attributes: { repeats } }) => {
    const split = repeats.flatMap((count, i) => [count, x.shape[i] as Dim]);
    return [reduceSum(reshape(g, split), { axes: repeats.map((_, i) => 2 * i) }), null];
  },
};

/** Repeats whole along each axis. */
export function tile(x: Value, repeats: readonly number[]): Value {
  if (repeats.length !== x.shape.length) {
    throw new ShapeError("Tile", [x.shape], `got ${repeats.length} repeats, expected one an axis.`);
  }
  return apply(tileOp, [x, int64s(repeats)], { repeats });
}

/** Stacks equal shapes along a new axis. */
export function stack(xs: readonly Value[], axis = 0): Value {
  return concat(xs.map((x) => unsqueeze(x, axis)), axis);
}

/** Reverses the order along one axis, or several. */
export function flip(x: Value, axes: number | readonly number[]): Value {
  const all = typeof axes === "number" ? [axes] : axes;
  return slice(x, all.map(() => -1), all.map(() => -(2 ** 31)), all, all.map(() => -1));
}

/**
 * [N, C r^2, H, W] to [N, C, H r, W r]: each pixel's channels become an r x r block (torch's
 * pixel_shuffle; ONNX DepthToSpace, mode CRD).
 */
export function pixelShuffle(x: Value, r: number): Value {
  const [n, c, h, w] = x.shape as [Dim, Dim, Dim, Dim];
  const channels = fixed("pixelShuffle", x.shape, 1) / (r * r);
  if (x.shape.length !== 4 || !Number.isInteger(channels)) {
    throw new ShapeError("pixelShuffle", [x.shape], `${c} channels do not divide by ${r * r}.`);
  }
  const height = fixed("pixelShuffle", [h], 0), width = fixed("pixelShuffle", [w], 0);
  const blocks = transpose(reshape(x, [n, channels, r, r, height, width]), [0, 1, 4, 2, 5, 3]);
  return reshape(blocks, [n, channels, height * r, width * r]);
}

/** Every operation here, for tables of tests. */
export const movementOps: readonly OpDef[] = opTable(
  reshapeOp,
  transposeOp,
  expandOp,
  unsqueezeOp,
  squeezeOp,
  tileOp,
);
