import { findComponentFile } from "./component_files.ts";
import { openGguf } from "./gguf_file.ts";
import { openFile } from "./open_file.ts";
import { openSafetensors } from "./safetensors.ts";
import { withScales } from "./scaled.ts";
import { openSharded } from "./sharded.ts";
import type { TensorSource } from "./stored_tensor.ts";
import { openTorchFile } from "./torch_file.ts";

/**
 * Opens a file of weights by what it is, not by its extension: safetensors, a torch zip file, GGUF,
 * or the index of shards. Throws ModelFormatError.
 */
export function openWeights(path: string): Promise<TensorSource> {
  return path.endsWith(".json") ? openSharded(path, openFileOfTensors) : openFileOfTensors(path);
}

async function openFileOfTensors(path: string): Promise<TensorSource> {
  const magic = String.fromCharCode(...await firstBytes(path));
  if (magic === "GGUF") return await openGguf(path);
  const isZip = magic === "PK\x03\x04", named = /\.(ckpt|pt|pth|bin)$/i.test(path);
  return isZip || named ? await openTorchFile(path) : await withScales(await openSafetensors(path));
}

/** Opens the weights of a component's folder; see `findComponentFile` for the order of names. */
export async function openComponent(
  folder: string,
  options: { variant?: string | undefined } = {},
): Promise<TensorSource> {
  return openWeights((await findComponentFile(folder, options)).path);
}

async function firstBytes(path: string): Promise<Uint8Array> {
  using file = await openFile(path);
  return await file.read(0, Math.min(4, file.size));
}
