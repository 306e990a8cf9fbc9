/** Layer, instance and group normalization, and vectors of unit length. */
import { throughExpansion } from "../grad.ts";
import { lower } from "../lowering.ts";
import { apply, type OpDef, opTable, sameDtype } from "../op.ts";
import { axisOf, type Dim, fixed, type Shape, ShapeError } from "../shape.ts";
import { constant, type Value } from "../value.ts";
import { add, div, mul, sub } from "./arithmetic.ts";
import { cast, sqrt } from "./elementwise.ts";
import { expand, reshape } from "./movement.ts";
import { reduceMean, reduceSum } from "./reduce.ts";

type Affine = readonly [Value, Value, Value];

/** Zero mean and unit variance along axes: `(x - mean) / sqrt(variance + epsilon)`. */
function standardize(x: Value, axes: readonly number[], epsilon: number): Value {
  const options = { axes, keepDims: true };
  const centered = sub(x, reduceMean(x, options));
  const variance = reduceMean(mul(centered, centered), options);
  return div(centered, sqrt(add(variance, epsilon)));
}

/**
 * Derivatives of `standardize(x) * scale + bias`. Those of half precision are computed in float32: squares
 * of activations overflow there.
 */
function standardizedGradient(
  g: Value,
  x: Value,
  scale: Value,
  axes: readonly number[],
  epsilon: number,
): { x: Value; scale: Value } {
  if (x.dtype !== "float16") return closedGradient(g, x, scale, axes, epsilon);
  const [wideG, wideX, wideScale] = [g, x, scale].map((value) => cast(value, "float32"));
  const found = closedGradient(wideG!, wideX!, wideScale!, axes, epsilon);
  return { x: cast(found.x, x.dtype), scale: cast(found.scale, x.dtype) };
}

/**
 * The same in closed form: a third of the passes over `x` that the derivatives of its parts would
 * take. `scale` broadcasts to `x`; sums over what it lacks are the reverse pass's.
 */
function closedGradient(
  g: Value,
  x: Value,
  scale: Value,
  axes: readonly number[],
  epsilon: number,
): { x: Value; scale: Value } {
  const options = { axes, keepDims: true };
  const centered = sub(x, reduceMean(x, options));
  const variance = reduceMean(mul(centered, centered), options);
  const inverse = div(1, sqrt(add(variance, epsilon)));
  const y = mul(centered, inverse), dy = mul(g, scale);
  const along = reduceMean(mul(dy, y), options), level = reduceMean(dy, options);
  const dx = mul(sub(sub(dy, level), mul(y, along)), inverse);
  return { x: dx, scale: mul(g, y) };
}

const layerNormalizationOp: OpDef<
  readonly [Value, Value, Value | undefined],
  { axis: number; epsilon: number }
> = {
  type: "LayerNormalization",
  attributes: { axis: "int", epsilon: "float" },
  infer: (
    [x, scale, bias],
  ) => [{ dtype: sameDtype("LayerNormalization", [x, scale, bias]), shape: x.shape }],
  vjp: (g, { inputs: [x, scale, bias], attributes: { axis, epsilon } }) => {
    const axes = Array.from(x.shape.keys()).slice(axis);
    const found = standardizedGradient(g, x, scale, axes, epsilon);
    return [found.x, found.scale, bias ? g : null];
  },
};

function layerPrimitive(
  x: Value,
  scale: Value,
  bias: Value | undefined,
  axis: number,
  epsilon: number,
) {
  const axes = Array.from(x.shape.keys()).slice(axis);
  const scaled = mul(standardize(x, axes, epsilon), scale);
  return bias ? add(scaled, bias) : scaled;
}

/** Normalizes each vector from `axis` on, then scales and shifts it (arXiv:1607.06450). */
export function layerNormalization(
  x: Value,
  scale: Value,
  bias?: Value,
  { epsilon = 1e-5, axis = -1 } = {},
): Value {
  const from = axisOf("LayerNormalization", x.shape, axis);
  const normalized = x.shape.slice(from);
  for (const weight of bias ? [scale, bias] : [scale]) {
    if (String(weight.shape) !== String(normalized)) {
      const why = `expected scale and bias of shape [${normalized}].`;
      throw new ShapeError("LayerNormalization", [x.shape, weight.shape], why);
    }
  }
  const node = () => apply(layerNormalizationOp, [x, scale, bias], { axis: from, epsilon });
  return lower({
    fused: node,
    standard: node,
    primitive: () => layerPrimitive(x, scale, bias, from, epsilon),
  });
}

const instanceNormalizationOp: OpDef<Affine, { epsilon: number }> = {
  type: "InstanceNormalization",
  attributes: { epsilon: "float" },
  infer: ([x, scale, bias]) => [{
    dtype: sameDtype("InstanceNormalization", [x, scale, bias]),
    shape: x.shape,
  }],
  vjp: (g, { inputs: [x, scale], attributes: { epsilon } }) => {
    const axes = Array.from(x.shape.keys()).slice(2), others = [0, ...axes];
    const found = standardizedGradient(g, x, byChannel(scale, x.shape), axes, epsilon);
    return [found.x, reduceSum(found.scale, { axes: others }), reduceSum(g, { axes: others })];
  },
};

/** `x * scale + bias` with a number of each for every channel (axis 1). */
function perChannel(x: Value, scale: Value, bias: Value): Value {
  return add(mul(x, byChannel(scale, x.shape)), byChannel(bias, x.shape));
}

/** A number for every channel, shaped to broadcast. */
function byChannel(values: Value, shape: Shape): Value {
  return reshape(values, [shape[1] as Dim, ...shape.slice(2).map(() => 1)]);
}

/** Normalizes each channel of each item over its pixels, then scales and shifts it. */
export function instanceNormalization(
  x: Value,
  scale: Value,
  bias: Value,
  { epsilon = 1e-5 } = {},
): Value {
  return apply(instanceNormalizationOp, [x, scale, bias], { epsilon });
}

interface GroupAttributes {
  readonly num_groups: number;
  readonly epsilon: number;
}

const groupNormalizationOp: OpDef<Affine, GroupAttributes> = {
  type: "GroupNormalization", // opset 21: scale and bias for each channel
  attributes: { num_groups: "int", epsilon: "float" },
  infer: ([x, scale, bias]) => [{
    dtype: sameDtype("GroupNormalization", [x, scale, bias]),
    shape: x.shape,
  }],
  vjp: throughExpansion(([x, scale, bias], { num_groups, epsilon }) =>
    groupPrimitive(x, scale, bias, num_groups, epsilon)
  ),
};

function groupPrimitive(x: Value, scale: Value, bias: Value, groups: number, epsilon: number) {
  const grouped = standardize(reshape(x, groupedShape(x.shape, groups)), [2], epsilon);
  return perChannel(reshape(grouped, x.shape), scale, bias);
}

/** The groups as the channels of an instance normalization: on CPU as fast, and a third of the memory. */
function groupAsInstance(x: Value, scale: Value, bias: Value, groups: number, epsilon: number) {
  const ones = expand(constant(1, [], x.dtype), [groups]);
  const nothing = expand(constant(0, [], x.dtype), [groups]);
  const grouped = reshape(x, groupedShape(x.shape, groups));
  const normalized = instanceNormalization(grouped, ones, nothing, { epsilon });
  return perChannel(reshape(normalized, x.shape), scale, bias);
}

function groupedShape(shape: Shape, groups: number): Dim[] {
  return [shape[0] as Dim, groups, -1];
}

/** Normalizes groups of channels over their pixels; scale and bias [C] (arXiv:1803.08494). */
export function groupNormalization(
  x: Value,
  scale: Value,
  bias: Value,
  { groups, epsilon = 1e-5 }: { groups: number; epsilon?: number },
): Value {
  const channels = fixed("GroupNormalization", x.shape, 1);
  const shapes = [x.shape, scale.shape, bias.shape];
  if (channels % groups !== 0) {
    const why = `${channels} channels do not make ${groups} equal groups.`;
    throw new ShapeError("GroupNormalization", shapes, why);
  }
  if (scale.shape.join() !== `${channels}` || bias.shape.join() !== `${channels}`) {
    const why = `expected scale and bias of shape [${channels}].`;
    throw new ShapeError("GroupNormalization", shapes, why);
  }
  const node = () => apply(groupNormalizationOp, [x, scale, bias], { num_groups: groups, epsilon });
  return lower({
    fused: () => groupAsInstance(x, scale, bias, groups, epsilon),
    standard: node,
    gpu: node,
    primitive: () => groupPrimitive(x, scale, bias, groups, epsilon),
  });
}

/** Every operation here, for tables of tests. */
export const normalizationOps: readonly OpDef[] = opTable(
  layerNormalizationOp,
  instanceNormalizationOp,
  groupNormalizationOp,
);

/** Vectors along `axis` divided by their lengths; those of length zero stay near zero. */
export function unitLength(x: Value, axis = -1): Value {
  const squares = reduceSum(mul(x, x), {
    axes: [axisOf("unitLength", x.shape, axis)],
    keepDims: true,
  });
  return div(x, sqrt(add(squares, 1e-12)));
}
