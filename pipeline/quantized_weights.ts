/**
 * A network's weights in fewer bits, made once and kept in the program's cache folder as a
 * `.safetensors` file: the second start maps it, as it does with the model's own.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { join } from "node:path";
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
import { openSafetensors } from "../weights/safetensors.ts";
import { type GeneratedTensor, writeSafetensors } from "../weights/safetensors_write.ts";
import {
  type FileRange,
  type StoredTensor,
  tensorByteLength,
  tensorInMemory,
  type TensorSource,
  tensorSource,
} from "../weights/stored_tensor.ts";

import type { Quantizing } from "./precision.ts";

/** Networks that run in fewer bits. */
export type QuantizedNetwork = "unet" | "vae_decoder";

/** How weights are quantized, and who is told that nothing can be kept. */
export type QuantizeOptions = Quantizing & {
  readonly onWarning?: ((message: string) => void) | undefined;
};

/** Rises when the same weights would be quantized differently. */
const VERSION = 1;

/**
 * What stays float32: the first and the last layers, which a picture goes through directly; the
 * timestep's, of a few rows; and what the prompt goes through, since text encoders put numbers a
 * hundred times the others' size into its first token.
 */
const KEPT: Readonly<Record<QuantizedNetwork, RegExp>> = {
  unet: /^(conv_in|conv_out|time_|add_|class_|encoder_hid_)|time_emb_proj|attn2\.to_[kv]\./,
  vae_decoder: /^(?!decoder\.)|^decoder\.(conv_in|conv_out)\./,
};

/** The weights of a network's layers that are quantized. */
function layersOf(
  network: QuantizedNetwork,
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
 * `source` with quantized layers beside it: float32 again for whoever does not look for them. Layers
 * of a file are made where they are not in the folder yet, which takes some seconds for a gigabyte.
 * Layers in memory, which a LoRA changed, are made again at every start: each weight of each LoRA
 * would leave a file.
 */
export async function quantizedWeights(
  network: QuantizedNetwork,
  source: TensorSource,
  options: QuantizeOptions,
): Promise<TensorSource> {
  const layers = layersOf(network, source, options.bits);
  const lasting = layers.filter(({ location }) => "file" in location);
  const changed = layers.filter(({ location }) => !("file" in location));
  const sources = [
    await keptWeights(network, lasting, { source: source.path, ...options }),
    await inMemory(changed, options),
  ];
  return {
    ...source,
    names: () => source.names(),
    get: (name) => source.get(name) ?? sources[0]!.get(name) ?? sources[1]!.get(name),
  };
}

/** From the folder, if it has them or takes them; otherwise in memory. */
async function keptWeights(
  network: QuantizedNetwork,
  layers: readonly StoredTensor[],
  options: QuantizeOptions & { readonly source: string },
): Promise<TensorSource> {
  const { bits, folder, source, onWarning } = options;
  if (folder === undefined || layers.length === 0) return await inMemory(layers, options);
  const path = join(folder, `${network}-int${bits}-${await keyOf(layers, options)}.safetensors`);
  try {
    if (!await isThere(path)) {
      await Deno.mkdir(folder, { recursive: true });
      const metadata = { source, precision: `int${bits}` };
      await writeSafetensors(path, generated(layers, options), { metadata });
    }
    return await openSafetensors(path);
  } catch (error) {
    if (!isOfTheFolder(error)) throw error;
    onWarning?.(`quantized weights cannot be kept in ${folder}: ${error.message}`);
    return await inMemory(layers, options);
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** A folder that cannot be written, or is full. */
function isOfTheFolder(error: unknown): error is Error {
  const { AlreadyExists, PermissionDenied, NotCapable, NotADirectory } = Deno.errors;
  return error instanceof PermissionDenied || error instanceof NotCapable ||
    error instanceof NotADirectory || error instanceof AlreadyExists ||
    (error instanceof Error && "code" in error && /^(ENOSPC|EROFS|EDQUOT)$/.test(`${error.code}`));
}

/** Equal for equal weights and settings; files are known by their size and time. */
async function keyOf(
  layers: readonly StoredTensor[],
  { bits, limit }: QuantizeOptions,
): Promise<string> {
  const hash = createHash("sha256"), states = new Map<string, string>();
  hash.update(JSON.stringify({ VERSION, bits, limit, block: INT4_BLOCK }));
  for (const { name, shape, dtype, location } of layers) {
    const { file, offset } = location as FileRange;
    if (!states.has(file)) {
      const { size, mtime } = await Deno.stat(file);
      states.set(file, `${file} ${size} ${mtime?.getTime()}`);
    }
    hash.update(JSON.stringify([name, shape, dtype, states.get(file), offset]));
  }
  return hash.digest("hex").slice(0, 32);
}

/** What is written for the layers: first all scales, then all values, as the file's order is. */
function generated(layers: readonly StoredTensor[], options: QuantizeOptions): GeneratedTensor[] {
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

/** For where no file can be. */
async function inMemory(
  layers: readonly StoredTensor[],
  options: QuantizeOptions,
): Promise<TensorSource> {
  const tensors: StoredTensor[] = [];
  for (const { name, dtype, shape, generate } of generated(layers, options)) {
    const bytes = new Uint8Array(tensorByteLength(dtype, shape));
    let at = 0;
    for await (const piece of generate()) {
      bytes.set(piece, at);
      at += piece.length;
    }
    tensors.push(tensorInMemory(name, dtype, shape, bytes));
  }
  return tensorSource("memory", tensors);
}
