/**
 * Normalizations of ONNX Runtime's own that add or activate as well, with kernels for GPUs
 * (com.microsoft, docs/ContribOperators.md). Pictures have their channels last here: [N, h, w, C].
 */
import { lowering } from "../lowering.ts";
import { apply, applyAll, type OpDef, sameDtype } from "../op.ts";
import { type Dim, ShapeError } from "../shape.ts";
import type { TensorType, Value } from "../value.ts";
import { silu } from "./activation.ts";
import { add } from "./arithmetic.ts";
import { channelsFirst, channelsLast } from "./channels_last.ts";
import { cast } from "./elementwise.ts";
import { reshape } from "./movement.ts";
import { groupNormalization, layerNormalization } from "./normalization.ts";

/** Options of both group normalizations. */
export interface GroupNormOptions {
  readonly groups: number;
  readonly epsilon: number;
  /** 1: SiLU afterwards. */
  readonly activation: 0 | 1;
}

const groupNormAttributes = {
  epsilon: "float",
  groups: "int",
  activation: "int",
  channels_last: "int",
} as const;

type GroupNormAttributes = GroupNormOptions & { readonly channels_last: 1 };

/**
 * Whether the kernel takes pictures [N, C, h, w] in these groups: a thread works on two channels, a
 * block on whole groups of at most 512; batches and groups have room for 32.
 */
export function groupNormFits({ shape, dtype }: TensorType, groups: number): boolean {
  const [batch, channels] = shape;
  if (shape.length !== 4 || shape.some((size) => typeof size !== "number")) return false;
  const perGroup = Number(channels) / groups;
  return (dtype === "float16" || dtype === "float32") && Number(batch) <= 32 && groups <= 32 &&
    Number.isInteger(perGroup) && perGroup % 2 === 0 && perGroup <= 512;
}

/** The result's type; throws where `groupNormFits` says no, or a weight is no float32 [C]. */
function groupNormType(
  op: string,
  x: TensorType,
  weights: readonly TensorType[],
  groups: number,
): TensorType {
  const [n, h, w, channels] = x.shape as [Dim, Dim, Dim, Dim];
  const shapes = [x.shape, ...weights.map(({ shape }) => shape)];
  if (x.shape.length !== 4 || !groupNormFits({ ...x, shape: [n, channels, h, w] }, groups)) {
    throw new ShapeError(op, shapes, `its kernel does not take ${groups} groups of this.`);
  }
  if (weights.some(({ shape }) => shape.join() !== `${channels}`)) {
    throw new ShapeError(op, shapes, `expected scale and bias of shape [${channels}].`);
  }
  if (sameDtype(op, weights) === "float32") return x;
  throw new TypeError(`Cannot apply ${op}: scale and bias must be float32. Convert with cast().`);
}

/** The same by a normalization with channels first; computed in float32, as the kernel does inside. */
function normalized(
  x: Value,
  scale: Value,
  bias: Value,
  { groups, epsilon, activation }: GroupNormOptions,
): Value {
  const first = channelsFirst(cast(x, "float32"));
  const y = lowering("fused", () => groupNormalization(first, scale, bias, { groups, epsilon }));
  return cast(channelsLast(activation === 1 ? silu(y) : y), x.dtype);
}

const groupNormOp: OpDef<readonly [Value, Value, Value], GroupNormAttributes> = {
  type: "GroupNorm",
  domain: "com.microsoft",
  attributes: groupNormAttributes,
  infer: ([x, ...weights], { groups }) => [groupNormType("GroupNorm", x, weights, groups)],
  expansion: ([x, scale, bias], options) => [normalized(x, scale, bias, options)],
  vjp: "none",
};

/** Group normalization of `x` [N, h, w, C]; scale and bias are float32 [C]. */
export function groupNormLast(x: Value, scale: Value, bias: Value, o: GroupNormOptions): Value {
  return apply(groupNormOp, [x, scale, bias], { ...o, channels_last: 1 });
}

/** Pictures, scale, bias of the normalization, what is added, and a bias that is added. */
type SkipInputs = readonly [Value, Value, Value, Value, Value | undefined];

const skipGroupNormOp: OpDef<SkipInputs, GroupNormAttributes & { readonly sum: boolean }> = {
  type: "SkipGroupNorm",
  domain: "com.microsoft",
  attributes: groupNormAttributes,
  infer: ([x, scale, bias, skip, shift], { groups, sum }) => {
    const type = groupNormType("SkipGroupNorm", x, [scale, bias], groups);
    sameDtype("SkipGroupNorm", [x, skip, shift]);
    const [n, , , c] = x.shape;
    const isWhole = skip.shape.join() === x.shape.join();
    if (!isWhole && skip.shape.join() !== `${n},${c}`) {
      const why = `what is added must have the same shape, or [${n}, ${c}].`;
      throw new ShapeError("SkipGroupNorm", [x.shape, skip.shape], why);
    }
    return sum ? [type, type] : [type];
  },
  expansion: ([x, scale, bias, skip, shift], options) => {
    const [n, c] = skip.shape as [Dim, Dim];
    const added = add(x, skip.shape.length === 2 ? reshape(skip, [n, 1, 1, c]) : skip);
    const total = shift ? add(added, shift) : added;
    const y = normalized(total, scale, bias, options);
    return options.sum ? [y, total] : [y];
  },
  vjp: "none",
};

/**
 * Group normalization of `x + skip + shift`: skip as `x` [N, h, w, C] or [N, C], shift [C]. Returns
 * the sum as well, if that is asked for.
 */
export function skipGroupNorm(
  [x, scale, bias, skip, shift]: SkipInputs,
  options: GroupNormOptions & { readonly sum: boolean },
): readonly Value[] {
  return applyAll(skipGroupNormOp, [x, scale, bias, skip, shift], {
    ...options,
    channels_last: 1,
  });
}

/** What is normalized, what is added to it, scale and bias of the normalization, a bias that is added. */
type SkipLayerInputs = readonly [Value, Value, Value, Value, Value | undefined];

const skipLayerNormOp: OpDef<
  SkipLayerInputs,
  { readonly epsilon: number; readonly sum: boolean }
> = {
  type: "SkipLayerNormalization",
  domain: "com.microsoft",
  attributes: { epsilon: "float" },
  infer: ([x, skip, scale, bias, shift], { sum }) => {
    sameDtype("SkipLayerNormalization", [x, skip, scale, bias, shift]);
    const shapes = [x.shape, skip.shape, scale.shape];
    if (x.shape.join() !== skip.shape.join() || scale.shape.join() !== `${x.shape.at(-1)}`) {
      const why = "expected two of one shape, and weights of their last axis.";
      throw new ShapeError("SkipLayerNormalization", shapes, why);
    }
    return sum ? [x, x] : [x];
  },
  // Between the two ONNX has a mean and a deviation, for training.
  places: ({ sum }) => sum ? [0, 3] : [0],
  expansion: ([x, skip, scale, bias, shift], { epsilon, sum }) => {
    const total = add(shift ? add(x, shift) : x, skip);
    const y = layerNormalization(total, scale, bias, { epsilon });
    return sum ? [y, total] : [y];
  },
  vjp: "none",
};

/** Layer normalization over the last axis of `x + shift + skip`, and the sum if it is asked for. */
export function skipLayerNorm(
  inputs: SkipLayerInputs,
  options: { readonly epsilon: number; readonly sum: boolean },
): readonly Value[] {
  return applyAll(skipLayerNormOp, inputs, options);
}
