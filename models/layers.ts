/**
 * The layers with weights: an operation of graph/ bound to tensors of the checkpoint. Widths of the
 * inputs come from the values, widths of the outputs from the caller; the file is checked against
 * both.
 */
import { conv } from "../graph/ops/conv.ts";
import { doubledConv, inPhases } from "../graph/ops/doubled_conv.ts";
import { winogradConv } from "../graph/ops/winograd.ts";
import { linear as linearOp } from "../graph/ops/linalg.ts";
import { groupNormalization, layerNormalization } from "../graph/ops/normalization.ts";
import { convInt4, convInt8, linearInt4, linearInt8 } from "../graph/ops/quantized.ts";
import { resizeNearest } from "../graph/ops/resize.ts";
import { lower } from "../graph/lowering.ts";
import { scope } from "../graph/scope.ts";
import { fixed } from "../graph/shape.ts";
import type { Value } from "../graph/value.ts";
import { isDoubling, PHASES, phaseSums } from "../weights/doubled_kernels.ts";
import type { NetworkWeights } from "./network_weights.ts";

/** Options of a linear layer. */
export interface LinearOptions {
  /** Whether the layer has a bias. Default true. */
  readonly bias?: boolean;
}

/** `x` [..., in] times the weight [out, in], transposed, plus the bias: [..., out]. */
export function linear(
  x: Value,
  w: NetworkWeights,
  outFeatures: number,
  { bias = true }: LinearOptions = {},
): Value {
  return scope(w.label, () => {
    const shape = [outFeatures, fixed("linear", x.shape, x.shape.length - 1)];
    const shift = bias ? w.tensor("bias", [outFeatures]) : undefined;
    const few = w.quantized();
    const y = few
      ? (few.bits === 8 ? linearInt8 : linearInt4)(x, { ...few, bias: shift })
      : linearOp(x, w.layerWeight(shape, x), shift);
    return w.layerGave(w.options.adapt?.({ name: w.path, shape }, x, y) ?? y);
  });
}

/** Options of a convolution. */
export interface ConvOptions {
  /** Side of the square kernel. Default 3. */
  readonly kernel?: number;
  /** Step between places of the kernel. Default 1. */
  readonly stride?: number;
  /** One number for all sides, or [top, left, bottom, right]. Default: keeps the size. */
  readonly padding?: number | readonly number[];
  /** Whether the layer has a bias. Default true. */
  readonly bias?: boolean;
}

/** Convolves `x` [B, C, h, w] with a square kernel [out, C, k, k]. */
export function conv2d(
  x: Value,
  w: NetworkWeights,
  outChannels: number,
  { kernel = 3, stride = 1, padding = (kernel - 1) >> 1, bias = true }: ConvOptions = {},
): Value {
  return scope(w.label, () => {
    const shape = [outChannels, fixed("conv2d", x.shape, 1), kernel, kernel];
    const strides = [stride, stride];
    const pads: readonly number[] = typeof padding === "number"
      ? Array<number>(4).fill(padding)
      : padding;
    const shift = bias ? w.tensor("bias", [outChannels]) : undefined;
    const few = w.quantized(), sizes = { kernel: [kernel, kernel] as const, strides, pads };
    const kernels = winogradFits(x, sizes) ? w.winogradKernels(shape) : undefined;
    const y = few
      ? (few.bits === 8 ? convInt8 : convInt4)(x, { ...few, bias: shift }, sizes)
      : kernels
      ? winogradConv(x, kernels, shift)
      : conv(x, w.layerWeight(shape, x), shift, { strides, pads });
    const layer = { name: w.path, shape, convolution: { strides, pads } };
    return w.layerGave(w.options.adapt?.(layer, x, y) ?? y);
  });
}

/** Pixels from which on fewer products pay: below, reading larger kernels takes it up. */
const MANY_PIXELS = 1024;

/** Whether a convolution can be Winograd's, and is worth it. */
function winogradFits(
  { shape }: Value,
  { kernel, strides, pads }: Readonly<Record<"kernel" | "strides" | "pads", readonly number[]>>,
): boolean {
  const isPlain = kernel.every((side) => side === 3) && strides.every((step) => step === 1) &&
    pads.every((side) => side === 1);
  const isFixed = shape.every((dim) => typeof dim === "number");
  return isPlain && isFixed && Number(shape[2]) * Number(shape[3]) >= MANY_PIXELS;
}

/**
 * Raises `x` [B, C, h, w] to [B, C, height, width], pixels repeated, and convolves it. Twice the
 * size is computed in phases where that pays, and else built as a scale, which works for a variable
 * batch too.
 */
export function upsample2d(
  x: Value,
  w: NetworkWeights,
  [height, width]: readonly [number, number],
): Value {
  const channels = fixed("upsample2d", x.shape, 1);
  const isDouble = x.shape[2] === height / 2 && x.shape[3] === width / 2;
  if (isDouble && doublesInPhases(x, w.at("conv"))) return inPhasesConv(x, w.at("conv"), channels);
  const larger = resizeNearest(x, isDouble ? { scales: [2, 2] } : [height, width]);
  return conv2d(larger, w.at("conv"), channels);
}

/**
 * Whether to convolve in phases: what nobody changes or adapts, on the processor. GPUs choose their
 * own kernels, and programs of the standard operators theirs.
 */
function doublesInPhases(x: Value, w: NetworkWeights): boolean {
  const { options: { adapt, parameter }, dtype, path } = w;
  const isFixed = x.shape.every((dim) => typeof dim === "number");
  const places = 4 * Number(x.shape[2]) * Number(x.shape[3]);
  const fits = isDoubling(`${path}.weight`, w.shapeOf("weight")) && places >= MANY_PIXELS;
  const pays = () => fits && isFixed && !adapt && !parameter && dtype === "float32";
  return lower({ fused: pays, standard: () => false, primitive: () => false, gpu: () => false });
}

function inPhasesConv(x: Value, w: NetworkWeights, channels: number): Value {
  return scope(w.label, () => {
    const bias = w.tensor("bias", [channels]);
    if (!w.quantized(PHASES[0])) {
      return doubledConv(x, w.tensor("weight", [channels, channels, 3, 3]), bias, phaseSums);
    }
    return inPhases(x, channels, (phase, pads) => {
      const few = w.quantized(phase)!, sizes = { kernel: [2, 2] as const, strides: [1, 1], pads };
      return (few.bits === 8 ? convInt8 : convInt4)(x, { ...few, bias }, sizes);
    });
  });
}

/** Group normalization of `x` [B, C, ...] with a scale and a shift for each channel. */
export function groupNorm(x: Value, w: NetworkWeights, groups: number, epsilon: number): Value {
  return scope(w.label, () => {
    const channels = [fixed("groupNorm", x.shape, 1)];
    return groupNormalization(x, w.tensor("weight", channels), w.tensor("bias", channels), {
      groups,
      epsilon,
    });
  });
}

/** Layer normalization of `x` [..., size] over its last axis. */
export function layerNorm(x: Value, w: NetworkWeights, epsilon: number): Value {
  return scope(w.label, () => {
    const size = [fixed("layerNorm", x.shape, x.shape.length - 1)];
    return layerNormalization(x, w.tensor("weight", size), w.tensor("bias", size), { epsilon });
  });
}
