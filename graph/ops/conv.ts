/** Convolutions and average pooling, over 1 to 3 spatial axes: x [N, C, ...]. */
import { apply, type OpDef, opTable, sameDtype, type Tangents } from "../op.ts";
import { type Dim, fixed, fixedShape, type Shape, ShapeError } from "../shape.ts";
import { constant, type OpNode, type TensorType, type Value } from "../value.ts";
import { add } from "./arithmetic.ts";
import { concat, pad, slice } from "./join.ts";
import { matMul } from "./linalg.ts";
import { expand, flip, reshape, transpose } from "./movement.ts";
import { reduceSum } from "./reduce.ts";

/** Options of a convolution; a number stands for the same on every axis and side. */
export interface ConvOptions {
  /** Places from one position of the kernel to the next; default 1. */
  readonly strides?: number | readonly number[];
  /** ONNX order: all begins, then all ends ([top, left, bottom, right]). */
  readonly pads?: number | readonly number[];
  /** Places from one element of the kernel to the next; default 1. */
  readonly dilations?: number | readonly number[];
  /** Groups of channels that do not mix; default 1. */
  readonly group?: number;
}

interface ConvAttributes {
  readonly strides: readonly number[];
  readonly pads: readonly number[];
  readonly dilations: readonly number[];
  readonly group: number;
}

type ConvInputs = readonly [Value, Value, Value | undefined];

const convAttributes = { strides: "ints", pads: "ints", dilations: "ints", group: "int" } as const;

function attributesOf(rank: number, options: ConvOptions): ConvAttributes {
  const each = (option: number | readonly number[] = 1, count = rank) =>
    typeof option === "number" ? Array<number>(count).fill(option) : option;
  const { strides, pads = 0, dilations, group = 1 } = options;
  return {
    strides: each(strides),
    pads: each(pads, 2 * rank),
    dilations: each(dilations),
    group,
  };
}

/** Places that a kernel reaches over: `dilation (k - 1) + 1`. */
function reach({ dilations }: ConvAttributes, kernel: Shape, axis: number): number {
  return dilations[axis]! * ((kernel[axis] as number) - 1) + 1;
}

/** Padding before plus after on a spatial axis. */
function padding({ pads }: ConvAttributes, axis: number): number {
  return pads[axis]! + pads[axis + pads.length / 2]!;
}

function checkConv(op: string, types: readonly (TensorType | undefined)[], channels: Dim): void {
  const shapes = types.flatMap((type) => type ? [type.shape] : []);
  const [x, w] = shapes as [Shape, Shape];
  sameDtype(op, types);
  if (x.length !== w.length || x.length < 3) {
    throw new ShapeError(op, shapes, "expected [N, C, ...] and weights of the same rank.");
  }
  if (x[1] !== channels) {
    throw new ShapeError(op, shapes, `got ${x[1]} channels, expected ${channels}.`);
  }
}

const convOp: OpDef<ConvInputs, ConvAttributes> = {
  type: "Conv",
  attributes: convAttributes,
  infer: ([x, w, b], attributes) => {
    const { group } = attributes;
    // Channels may be a symbol, where no groups divide them.
    checkConv("Conv", [x, w, b], group === 1 ? w.shape[1]! : fixed("Conv", w.shape, 1) * group);
    const kernel = w.shape.slice(2);
    const spatial = attributes.strides.map((stride, i) => {
      const room = fixed("Conv", x.shape, i + 2) + padding(attributes, i);
      return Math.floor((room - reach(attributes, kernel, i)) / stride) + 1;
    });
    if (spatial.some((size) => size < 1)) {
      throw new ShapeError(
        "Conv",
        [x.shape, w.shape],
        "the kernel is larger than the padded input.",
      );
    }
    return [{ dtype: x.dtype, shape: [x.shape[0] as Dim, w.shape[0] as Dim, ...spatial] }];
  },
  vjp: (g, { inputs: [x, w, b], attributes }) => [
    convInputGradient(g, x.shape, w, attributes),
    convWeightGradient(x, g, w.shape, attributes),
    b ? channelSum(g) : null,
  ],
  jvp: (tangents, node) => bilinear(convOp, tangents, node),
};

/** `w [M, C/group, ...]` slid over `x [N, C, ...]`, plus `b [M]`. */
export function conv(x: Value, w: Value, b?: Value, options: ConvOptions = {}): Value {
  return apply(convOp, [x, w, b], attributesOf(w.shape.length - 2, options));
}

/** Elements of the largest kernel that is worth turning about: larger ones cost memory and time. */
const TURNED = 2 ** 19;

/**
 * What a convolution's input is told: the cotangents convolved with the kernel turned about, which is
 * a third faster on CPU than a transposed convolution; that, where the kernel strides, or is large.
 */
function convInputGradient(g: Value, shape: Shape, w: Value, attributes: ConvAttributes): Value {
  const kernel = w.shape.slice(2), { strides, pads, dilations, group } = attributes;
  const around = pads.map((pad, i) => reach(attributes, kernel, i % kernel.length) - 1 - pad);
  const plain = group === 1 && strides.every((stride) => stride === 1) &&
    fixedShape("Conv", w.shape).reduce((a, b) => a * b, 1) <= TURNED;
  if (plain && around.every((pad) => pad >= 0)) {
    const swapped = transpose(w, [1, 0, ...kernel.map((_, i) => i + 2)]);
    const turned = flip(swapped, kernel.flatMap((size, i) => size === 1 ? [] : [i + 2]));
    return conv(g, turned, undefined, { pads: around, dilations });
  }
  const outputPadding = strides.map((stride, i) => {
    const size = (fixed("Conv", g.shape, i + 2) - 1) * stride + reach(attributes, kernel, i);
    return fixed("Conv", shape, i + 2) - size + padding(attributes, i);
  });
  return convTranspose(g, w, undefined, { ...attributes, outputPadding });
}

/**
 * One matrix product for each place of the kernel: the pixels it saw in all pictures, times the
 * cotangents they met. (As one convolution it would be 2 to 3 times slower on CPU.)
 */
function convWeightGradient(x: Value, g: Value, kernelShape: Shape, a: ConvAttributes): Value {
  const [n, m, ...out] = fixedShape("Conv", g.shape) as [number, number, ...number[]];
  const [, perGroup, ...kernel] = fixedShape("Conv", kernelShape) as [number, number, ...number[]];
  const axes = kernel.map((_, i) => i + 2), count = n * out.reduce((a, b) => a * b, 1);
  const padded = pad(x, [
    [0],
    [0],
    ...kernel.map((_, i) => [a.pads[i]!, a.pads[i + kernel.length]!]),
  ]);
  // Channels first: then a row is one channel in all pictures, and the product sums over them.
  const byChannel = (value: Value) => transpose(value, [1, 0, ...axes]);
  const cotangents = reshape(byChannel(g), [a.group, m / a.group, count]);
  const pixels = byChannel(padded);
  const places = offsets(kernel).map((offset) => {
    const starts = offset.map((at, i) => at * a.dilations[i]!);
    const ends = starts.map((start, i) => start + (out[i]! - 1) * a.strides[i]! + 1);
    const seen = reshape(slice(pixels, starts, ends, axes, a.strides), [a.group, perGroup, count]);
    return reshape(matMul(cotangents, transpose(seen, [0, 2, 1])), [m, perGroup, 1]);
  });
  return reshape(concat(places, 2), kernelShape);
}

/** Every index into a kernel, last axis fastest. */
function offsets(kernel: readonly number[]): number[][] {
  return kernel.reduce<number[][]>(
    (all, size) => all.flatMap((head) => Array.from({ length: size }, (_, i) => [...head, i])),
    [[]],
  );
}

/** The sum of a cotangent over all but the channels. */
function channelSum(g: Value): Value {
  return reduceSum(g, { axes: Array.from(g.shape.keys()).filter((axis) => axis !== 1) });
}

/** The forward derivative of what is linear in `x`, in `w` and in `b`. */
function bilinear<A extends object>(
  op: OpDef<ConvInputs, A>,
  [tx, tw, tb]: Tangents<ConvInputs>,
  { inputs: [x, w], outputs: [y], attributes }: OpNode<ConvInputs, A>,
): (Value | undefined)[] {
  const { shape } = y as Value, ones = shape.slice(2).map(() => 1);
  const terms = [
    tx && apply(op, [tx, w, undefined], attributes),
    tw && apply(op, [x, tw, undefined], attributes),
    tb && expand(reshape(tb, [1, shape[1] as Dim, ...ones]), shape),
  ];
  return [terms.filter((term) => term !== undefined).reduce((a, b) => add(a, b))];
}

/** Options of a transposed convolution. */
export interface ConvTransposeOptions extends ConvOptions {
  /** Extra places at the end of each axis. */
  readonly outputPadding?: number | readonly number[];
}

interface ConvTransposeAttributes extends ConvAttributes {
  readonly output_padding: readonly number[];
}

const convTransposeOp: OpDef<ConvInputs, ConvTransposeAttributes> = {
  type: "ConvTranspose",
  attributes: { ...convAttributes, output_padding: "ints" },
  infer: ([x, w, b], attributes) => {
    checkConv("ConvTranspose", [x, w, b], fixed("ConvTranspose", w.shape, 0));
    const kernel = w.shape.slice(2);
    const spatial = attributes.strides.map((stride, i) =>
      (fixed("ConvTranspose", x.shape, i + 2) - 1) * stride - padding(attributes, i) +
      reach(attributes, kernel, i) + attributes.output_padding[i]!
    );
    const channels = fixed("ConvTranspose", w.shape, 1) * attributes.group;
    return [{ dtype: x.dtype, shape: [x.shape[0] as Dim, channels, ...spatial] }];
  },
  // The roles of a convolution's input and result swapped.
  vjp: (g, { inputs: [x, w, b], attributes }) => [
    conv(g, w, undefined, attributes),
    convWeightGradient(g, x, w.shape, attributes),
    b ? channelSum(g) : null,
  ],
  jvp: (tangents, node) => bilinear(convTransposeOp, tangents, node),
};

/** The transpose of `conv` as a linear map: `w [C, M/group, ...]`, x [N, C, ...] to [N, M, ...]. */
export function convTranspose(
  x: Value,
  w: Value,
  b?: Value,
  { outputPadding = 0, ...options }: ConvTransposeOptions = {},
): Value {
  const rank = w.shape.length - 2;
  return apply(convTransposeOp, [x, w, b], {
    ...attributesOf(rank, options),
    output_padding: attributesOf(rank, { strides: outputPadding }).strides,
  });
}

interface PoolAttributes {
  readonly kernel_shape: readonly number[];
  readonly strides: readonly number[];
  readonly pads: readonly number[];
  readonly count_include_pad: number;
}

const averagePoolOp: OpDef<readonly [Value], PoolAttributes> = {
  type: "AveragePool",
  attributes: { kernel_shape: "ints", strides: "ints", pads: "ints", count_include_pad: "int" },
  infer: ([x], { kernel_shape, strides, pads }) => {
    const spatial = kernel_shape.map((size, i) => {
      const room = fixed("AveragePool", x.shape, i + 2) + pads[i]! + pads[i + kernel_shape.length]!;
      return Math.floor((room - size) / strides[i]!) + 1;
    });
    return [{ dtype: x.dtype, shape: [...x.shape.slice(0, 2), ...spatial] }];
  },
  // A convolution of each channel by itself with equal weights.
  vjp: (g, { inputs: [x], attributes: { kernel_shape, ...rest } }) => {
    const channels = fixed("AveragePool", x.shape, 1);
    const weight = constant(1 / kernel_shape.reduce((a, b) => a * b, 1), [], x.dtype);
    const w = expand(weight, [channels, 1, ...kernel_shape]);
    const options = attributesOf(kernel_shape.length, { ...rest, group: channels });
    return [convInputGradient(g, x.shape, w, options)];
  },
  jvp: ([t], { attributes }) => [t && apply(averagePoolOp, [t], attributes)],
};

/** Means over windows of `kernel` places, padding counted as zeros (torch's avg_pool). */
export function averagePool(
  x: Value,
  kernel: readonly number[],
  { strides = kernel, pads = 0 }: Pick<ConvOptions, "strides" | "pads"> = {},
): Value {
  const attributes = attributesOf(kernel.length, { strides, pads });
  return apply(averagePoolOp, [x], {
    kernel_shape: kernel,
    strides: attributes.strides,
    pads: attributes.pads,
    count_include_pad: 1,
  });
}

/** Every operation here, for tables of tests. */
export const convOps: readonly OpDef[] = opTable(convOp, convTransposeOp, averagePoolOp);
