/** Operations that cut and join along axes: concat, split, slice, pad. */
import { apply, applyAll, type OpDef, opTable, sameDtype } from "../op.ts";
import { addDims, axisOf, type Dim, fixed, type Shape, ShapeError } from "../shape.ts";
import { constant, int64s, type TensorType, type Value } from "../value.ts";
import { flip, reshape, unsqueeze } from "./movement.ts";

const concatOp: OpDef<readonly Value[], { axis: number }> = {
  type: "Concat",
  attributes: { axis: "int" },
  infer: (types, { axis }) => {
    const shapes = types.map((type) => type.shape);
    const first = shapes[0] as Shape;
    const fits = (shape: Shape) =>
      shape.length === first.length && shape.every((dim, i) => i === axis || dim === first[i]);
    if (!shapes.every(fits)) {
      throw new ShapeError("Concat", shapes, `only axis ${axis} may differ.`);
    }
    const shape = [...first];
    shape[axis] = addDims(shapes.map((one) => one[axis] as Dim));
    return [{ dtype: sameDtype("Concat", types), shape }];
  },
  vjp: (g, { inputs, attributes: { axis } }) =>
    split(g, inputs.map((x) => fixed("Concat", x.shape, axis)), axis),
};

/** Joins along an axis. */
export function concat(xs: readonly Value[], axis: number): Value {
  const [first] = xs;
  if (!first) throw new RangeError("Cannot apply Concat: got no tensors, expected one at least.");
  return xs.length === 1
    ? first
    : apply(concatOp, xs, { axis: axisOf("Concat", first.shape, axis) });
}

const splitOp: OpDef<readonly [Value, Value], { axis: number; sizes: readonly number[] }> = {
  type: "Split",
  attributes: { axis: "int" },
  infer: ([x], { axis, sizes }) => {
    const total = sizes.reduce((sum, size) => sum + size, 0);
    if (total !== fixed("Split", x.shape, axis)) {
      throw new ShapeError("Split", [x.shape], `sizes [${sizes}] do not add up to axis ${axis}.`);
    }
    return sizes.map((size) => ({
      dtype: x.dtype,
      shape: x.shape.map((dim, i) => i === axis ? size : dim),
    }));
  },
  vjp: (_g, { attributes: { axis } }, all) => [concat(all, axis), null],
};

/** Cuts into parts of the given sizes along an axis; a number means that many equal parts. */
export function split(x: Value, sizes: readonly number[] | number, axis: number): readonly Value[] {
  const at = axisOf("Split", x.shape, axis);
  const parts = typeof sizes === "number"
    ? Array<number>(sizes).fill(fixed("Split", x.shape, at) / sizes)
    : sizes;
  if (parts.length === 1 && parts[0] === x.shape[at]) return [x];
  return applyAll(splitOp, [x, int64s(parts)], { axis: at, sizes: parts });
}

interface SliceAttributes {
  readonly cuts: readonly Cut[];
}

/** One axis of a slice, resolved: the elements start, start + step, ... (`count` of them). */
export interface Cut {
  /** Which axis. */
  readonly axis: number;
  /** The first element. */
  readonly start: number;
  /** From one element to the next; negative: backwards. */
  readonly step: number;
  /** How many. */
  readonly count: number;
}

const sliceOp: OpDef<readonly Value[], SliceAttributes> = {
  type: "Slice",
  infer: ([x], { cuts }) => {
    const { dtype, shape } = x as TensorType;
    return [{
      dtype,
      shape: shape.map((dim, i) => cuts.find((cut) => cut.axis === i)?.count ?? dim),
    }];
  },
  vjp: (g, { inputs: [x], attributes: { cuts } }) => [
    cuts.reduce((sum, cut) => unslice(sum, cut, fixed("Slice", (x as Value).shape, cut.axis)), g),
  ],
};

/** Puts a cotangent back in the places that one cut took it from, zeros between them. */
function unslice(g: Value, { axis, start, step, count }: Cut, size: number): Value {
  if (step < 0) {
    const forward = { axis, step: -step, count, start: start + (count - 1) * step };
    return unslice(flip(g, axis), forward, size);
  }
  const spread = step === 1 ? g : spreadOut(g, axis, step);
  return padAxis(spread, axis, start, size - start - ((count - 1) * step + 1));
}

/** Inserts `step - 1` zeros between the elements along an axis. */
function spreadOut(g: Value, axis: number, step: number): Value {
  const size = fixed("Slice", g.shape, axis);
  const gaps = reshape(
    padAxis(unsqueeze(g, axis + 1), axis + 1, 0, step - 1),
    g.shape.map((dim, i) => i === axis ? size * step : dim),
  );
  return slice(gaps, [0], [(size - 1) * step + 1], [axis]);
}

function padAxis(x: Value, axis: number, before: number, after: number): Value {
  return pad(x, x.shape.map((_, i) => i === axis ? [before, after] : [0, 0]));
}

/**
 * Elements `starts..ends` along axes (default: the first ones), as in numpy: negative positions count
 * from the end, beyond it is the end. Sliced axes must have fixed sizes.
 */
export function slice(
  x: Value,
  starts: readonly number[],
  ends: readonly number[],
  axes: readonly number[] = starts.map((_, i) => i),
  steps: readonly number[] = starts.map(() => 1),
): Value {
  const cuts = axes.map((axis, i) =>
    cutOf(x.shape, axis, starts[i] as number, ends[i] as number, steps[i] ?? 1)
  );
  const whole = cuts.every((cut) => cut.step === 1 && cut.count === x.shape[cut.axis]);
  if (whole) return x;
  const inputs = [x, int64s(starts), int64s(ends), int64s(cuts.map((cut) => cut.axis))];
  if (cuts.some((cut) => cut.step !== 1)) inputs.push(int64s(cuts.map((cut) => cut.step)));
  return apply(sliceOp, inputs, { cuts });
}

function cutOf(shape: Shape, axis: number, from: number, to: number, step: number): Cut {
  const at = axisOf("Slice", shape, axis);
  const size = fixed("Slice", shape, at);
  const clamp = (position: number, low: number, high: number) =>
    Math.min(Math.max(position < 0 ? position + size : position, low), high);
  const start = step > 0 ? clamp(from, 0, size) : clamp(from, 0, size - 1);
  const end = step > 0 ? clamp(to, 0, size) : clamp(to, -1, size - 1);
  const count = Math.max(0, Math.ceil((end - start) / step));
  return { axis: at, start, step, count };
}

/** How `pad` fills: a number, or from the tensor itself. */
export type PadMode = "constant" | "reflect" | "edge";

interface PadAttributes {
  readonly mode: PadMode;
  readonly pads: readonly (readonly [number, number])[];
}

const padOp: OpDef<readonly [Value, Value, Value | undefined], PadAttributes> = {
  type: "Pad",
  attributes: { mode: "string" },
  infer: ([x], { pads }) => [{
    dtype: x.dtype,
    shape: x.shape.map((dim, i) => {
      const [before, after] = pads[i] ?? [0, 0];
      return before + after === 0 ? dim : fixed("Pad", x.shape, i) + before + after;
    }),
  }],
  vjp: (g, { inputs: [x], attributes: { mode, pads } }) => {
    if (mode !== "constant") {
      throw new RangeError(
        `Cannot differentiate Pad: mode ${mode} has no rule. Pad with a constant.`,
      );
    }
    const inner = pads.map(([before], i) => [before, before + fixed("Pad", x.shape, i)] as const);
    return [slice(g, inner.map(([from]) => from), inner.map(([, to]) => to)), null, null];
  },
  jvp: ([t], { attributes: { mode, pads } }) => [t && pad(t, pads, { mode })],
};

/** How the added elements of `pad` come about. */
export interface PadOptions {
  /** Default "constant". */
  readonly mode?: PadMode;
  /** The constant: a number, or a scalar of the type of `x`. Default 0. */
  readonly value?: number | Value;
}

/** Adds `[before, after]` elements to each axis, in the order of axes. */
export function pad(
  x: Value,
  pads: readonly (readonly number[])[],
  { mode = "constant", value = 0 }: PadOptions = {},
): Value {
  const pairs = pads.map(([before = 0, after = 0]) => [before, after] as const);
  if (pairs.length !== x.shape.length) {
    throw new ShapeError("Pad", [x.shape], `got ${pairs.length} pairs, expected one an axis.`);
  }
  if (pairs.flat().every((count) => count === 0)) return x;
  if (pairs.flat().some((count) => count < 0)) {
    throw new ShapeError("Pad", [x.shape], "got a negative count. Use slice() to cut.");
  }
  const counts = int64s([...pairs.map(([before]) => before), ...pairs.map(([, after]) => after)]);
  const given = typeof value === "number" ? constant(value, [], x.dtype) : value;
  const fill = mode === "constant" ? given : undefined;
  return apply(padOp, [x, counts, fill], { mode, pads: pairs });
}

/** Every operation here, for tables of tests. */
export const joinOps: readonly OpDef[] = opTable(concatOp, splitOp, sliceOp, padOp);
