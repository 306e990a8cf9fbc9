/**
 * Weights in another form, made once of a model's own and kept in the program's cache folder as a
 * `.safetensors` file: the second start maps it, as it does with the model's.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { join } from "node:path";
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
import { isFile } from "./existing.ts";

/** Networks that are worth it. */
export type LargeNetwork = "unet" | "vae_decoder";

/** What is made of which weights. */
export interface Derivation {
  /** How the file's name begins: `unet-int8`. */
  readonly name: string;
  /** The weights that it is made of. */
  readonly layers: readonly StoredTensor[];
  /** What it depends on beside them, a version among it. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Makes the tensors of some layers; the source does not have their names. */
  readonly tensors: (layers: readonly StoredTensor[]) => GeneratedTensor[];
}

/** Where they are kept, and who is told of their making. */
export interface DerivedOptions {
  /** Undefined: in memory. */
  readonly folder: string | undefined;
  /** Told how many bytes of a network's float32 weights have been put into the form. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Told that nothing can be kept. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/**
 * `source` with the derived tensors beside its own, for whoever looks for them. Those of layers of a
 * file are made where they are not in the folder yet, which takes some seconds for a gigabyte. Those
 * of layers in memory, which a LoRA changed, are made again at every start: each weight of each LoRA
 * would leave a file.
 */
export async function derivedWeights(
  source: TensorSource,
  derivation: Derivation,
  options: DerivedOptions,
): Promise<TensorSource> {
  const { layers, tensors } = derivation;
  const lasting = layers.filter(({ location }) => "file" in location);
  const changed = layers.filter(({ location }) => !("file" in location));
  const kept = await keptWeights(source.path, { ...derivation, layers: lasting }, options);
  const fresh = await inMemory(tensors(changed));
  return {
    ...source,
    names: () => source.names(),
    get: (name) => source.get(name) ?? kept.get(name) ?? fresh.get(name),
  };
}

/** From the folder, if it has them or takes them; otherwise in memory. */
async function keptWeights(
  source: string,
  derivation: Derivation,
  { folder, onWarning }: DerivedOptions,
): Promise<TensorSource> {
  const { name, layers, tensors } = derivation;
  if (folder === undefined || layers.length === 0) return await inMemory(tensors(layers));
  const path = join(folder, `${name}-${await keyOf(derivation)}.safetensors`);
  try {
    if (!await isFile(path)) {
      await Deno.mkdir(folder, { recursive: true });
      await writeSafetensors(path, tensors(layers), { metadata: { source, form: name } });
    }
    return await openSafetensors(path);
  } catch (error) {
    if (!isOfTheFolder(error)) throw error;
    onWarning?.(`${name} weights cannot be kept in ${folder}: ${error.message}`);
    return await inMemory(tensors(layers));
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
async function keyOf({ layers, settings }: Derivation): Promise<string> {
  const hash = createHash("sha256"), states = new Map<string, string>();
  hash.update(JSON.stringify(settings));
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

/** For where no file can be. */
async function inMemory(all: readonly GeneratedTensor[]): Promise<TensorSource> {
  const tensors: StoredTensor[] = [];
  for (const { name, dtype, shape, generate } of all) {
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
