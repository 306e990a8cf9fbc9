/**
 * A face recognizer's embedding in a file: what FaceID adapters are shown.
 *
 * @module
 */

import { ModelFormatError } from "../weights/model_format_error.ts";
import { openWeights } from "../weights/open_weights.ts";
import { toFloat32 } from "../weights/read.ts";

/**
 * Reads an embedding: a JSON list of numbers, or the one tensor of a `.safetensors` or torch file.
 *
 * @throws {ModelFormatError} for another file.
 */
export async function readFace(path: string): Promise<Float32Array> {
  const refuse = (why: string, cause?: unknown) =>
    new ModelFormatError(
      `Cannot read ${path} as a face's embedding: ${why}; expected a JSON list of numbers, or a ` +
        "file with one tensor.",
      { path, cause },
    );
  if (path.endsWith(".json")) {
    let values: unknown;
    try {
      values = JSON.parse(await Deno.readTextFile(path));
    } catch (cause) {
      throw refuse(cause instanceof Error ? cause.message : String(cause), cause);
    }
    if (Array.isArray(values) && values.every(Number.isFinite)) return Float32Array.from(values);
    throw refuse("it is something else");
  }
  const source = await openWeights(path), [name, ...more] = source.names();
  if (name === undefined || more.length > 0) throw refuse(`it has ${more.length + 1} tensors`);
  return await toFloat32(source.get(name)!);
}
