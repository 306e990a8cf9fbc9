/**
 * A network's weights in fewer bits, made once and kept in the program's cache folder as a
 * `.safetensors` file: the second start maps it, as it does with the model's own.
 *
 * @module
 */

import { isDoubling, phaseKernels, phaseName, PHASES } from "../weights/doubled_kernels.ts";
import {
  INT4_BLOCK,
  int4Scales,
  int4Values,
  int8Scales,
  int8Values,
  quantizedNames,
  type WeightBits,
} from "../weights/quantize.ts";
import { toFloat32 } from "../weights/read.ts";
import type { GeneratedTensor } from "../weights/safetensors_write.ts";
import type { StoredTensor, TensorSource } from "../weights/stored_tensor.ts";
import { derivedWeights, type LargeNetwork } from "./derived_weights.ts";
import type { Quantizing } from "./precision.ts";

/** Rises when the same weights would be quantized differently. */
const VERSION = 2;

/**
 * What stays float32: the first and the last layers, which a picture goes through directly; the
 * timestep's, of a few rows; what the prompt goes through, since text encoders put numbers a hundred
 * times the others' size into its first token; and the shortcuts beside residual blocks, whose input
 * is not normalized, and of two ranges where it is joined of two (arXiv:2302.04304): keeping them
 * halves the error of the embedded model's first prediction.
 */
const KEPT: Readonly<Record<LargeNetwork, RegExp>> = {
  unet:
    /^(conv_in|conv_out|time_|add_|class_|encoder_hid_)|time_emb_proj|attn2\.to_[kv]\.|conv_shortcut/,
  vae_decoder: /^(?!decoder\.)|^decoder\.(conv_in|conv_out)\.|conv_shortcut/,
};

/** The weights of a network's layers that are quantized. */
function layersOf(
  network: LargeNetwork,
  source: TensorSource,
  bits: WeightBits,
): StoredTensor[] {
  return [...source.names()].flatMap((name) => {
    const tensor = source.get(name);
    if (!tensor || !name.endsWith(".weight") || KEPT[network].test(name)) return [];
    const { shape } = tensor, inner = shape.slice(1).reduce((a, b) => a * b, 1);
    const fits = shape.length > 1 && (bits === 8 || inner % INT4_BLOCK === 0);
    return fits ? [tensor] : [];
  });
}

/**
 * `source` with quantized layers beside it: float32 again for whoever does not look for them.
 */
export function quantizedWeights(
  network: LargeNetwork,
  source: TensorSource,
  options: Quantizing,
): Promise<TensorSource> {
  const { bits, limit } = options, layers = layersOf(network, source, bits);
  return derivedWeights(source, {
    name: `${network}-int${bits}`,
    layers,
    settings: { VERSION, bits, limit, block: INT4_BLOCK },
    tensors: (of) => generated(of, options),
  }, options);
}

/** A weight that is quantized: a layer's own, or its kernels of a phase. */
interface Part {
  readonly name: string;
  readonly shape: readonly number[];
  /** Float32Array of that shape, from the layer's weight. */
  readonly of: (weight: Float32Array) => Float32Array;
}

/** What doubles a picture is kept in both ways: others than the processor's graphs take it whole. */
function partsOf({ name, shape }: StoredTensor): Part[] {
  const whole: Part = { name, shape, of: (weight) => weight };
  if (!isDoubling(name, shape)) return [whole];
  const small = [...shape.slice(0, 2), 2, 2];
  const phases = PHASES.map((phase): Part => ({
    name: phaseName(name, phase),
    shape: small,
    of: (weight) => phaseKernels(weight, phase),
  }));
  return [whole, ...phases];
}

/** What is written for the layers: first all scales, then all values, as the file's order is. */
function generated(layers: readonly StoredTensor[], options: Quantizing): GeneratedTensor[] {
  const { onProgress } = options;
  const parts = layers.flatMap((layer) => partsOf(layer).map((part) => ({ layer, part })));
  const sizes = parts.map(({ part }) => part.shape.reduce((a, b) => a * b, 1));
  const total = 4 * sizes.reduce((a, b) => a + b, 0);
  let done = 0;
  return parts.flatMap(({ layer, part }, i) =>
    quantized(layer, part, options, () => onProgress?.(done += 2 * sizes[i]!, total))
  );
}

/** The scales and the values of one weight; `onRead` is told of each time that it is read. */
function quantized(
  layer: StoredTensor,
  { name, shape, of }: Part,
  { bits, limit }: Quantizing,
  onRead: () => void,
): GeneratedTensor[] {
  const names = quantizedNames(name, bits);
  const [outputs, ...rest] = shape as [number, ...number[]];
  const inner = rest.reduce((a, b) => a * b, 1), blocks = inner / INT4_BLOCK;
  let scales: Float32Array<ArrayBuffer> | undefined;
  const scalesOf = (weight: Float32Array) =>
    scales ??= bits === 8 ? int8Scales(weight, shape, limit) : int4Scales(weight, shape);
  const valuesOf = (weight: Float32Array) =>
    (bits === 8 ? int8Values : int4Values)(weight, shape, scalesOf(weight));
  const tensor = (
    name: string,
    type: Pick<GeneratedTensor, "dtype" | "shape">,
    make: (weight: Float32Array) => Float32Array | Int8Array | Uint8Array,
  ): GeneratedTensor => ({
    name,
    ...type,
    async *generate() {
      const { buffer } = make(of(await toFloat32(layer)));
      onRead();
      yield new Uint8Array(buffer as ArrayBuffer);
    },
  });
  return [
    tensor(
      names.scale,
      { dtype: "F32", shape: bits === 8 ? [outputs] : [outputs, blocks] },
      scalesOf,
    ),
    bits === 8
      ? tensor(names.values, { dtype: "I8", shape: [inner, outputs] }, valuesOf)
      : tensor(names.values, { dtype: "U8", shape: [outputs, blocks, INT4_BLOCK / 2] }, valuesOf),
  ];
}
