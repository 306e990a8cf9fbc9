import { openFile } from "./open_file.ts";
import { parseSafetensorsHeader, safetensorsHeaderLength } from "./safetensors_header.ts";
import { tensorSource } from "./stored_tensor.ts";
import type { TensorSource } from "./stored_tensor.ts";

/**
 * Opens a `.safetensors` file: reads and validates its header only, never the tensors.
 * Locations hold the file's real path. Throws ModelFormatError for any file that breaks the format.
 */
export async function openSafetensors(path: string): Promise<TensorSource> {
  using file = await openFile(path);
  const start = await file.read(0, Math.min(file.size, 64));
  const length = safetensorsHeaderLength(start, file.size, path);
  const json = await file.read(8, length);
  const { tensors, metadata } = parseSafetensorsHeader(json, { file: file.path, size: file.size });
  return tensorSource(path, tensors, metadata);
}
