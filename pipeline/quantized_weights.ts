/**
 * A network's weights in fewer bits, made once and kept in the program's cache folder as a
 * `.safetensors` file: the second start maps it, as it does with the model's own.
 *
 * @module
 */

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
const VERSION = 1;

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

/** What is written for the layers: first all scales, then all values, as the file's order is. */
function generated(layers: readonly StoredTensor[], options: Quantizing): GeneratedTensor[] {
  const { bits, limit, onProgress } = options;
  const sizes = layers.map(({ shape }) => shape.reduce((a, b) => a * b, 1));
  const total = 4 * sizes.reduce((a, b) => a + b, 0);
  let done = 0;
  return layers.flatMap((layer, i) => {
    const { shape, name } = layer, names = quantizedNames(name, bits);
    const outputs = shape[0]!, inner = sizes[i]! / outputs, blocks = inner / INT4_BLOCK;
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
        const { buffer } = make(await toFloat32(layer));
        onProgress?.(done += 2 * sizes[i]!, total); // each layer is read twice
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
  });
}
