/**
 * A network's weights as feeds.
 *
 * @module
 */

import type { Feeds } from "../training/computation.ts";
import { toFloat32 } from "../weights/read.ts";
import type { TensorSource } from "../weights/stored_tensor.ts";

/**
 * All weights of a small network, to be fed: for graphs with gradients, in which ONNX Runtime's
 * optimizers look for weights that are supplied from memory in a file, and fail.
 */
export async function weightFeeds(source: TensorSource): Promise<Feeds> {
  const feeds: Record<string, Float32Array<ArrayBuffer>> = {};
  for (const name of source.names()) {
    const tensor = source.get(name)!;
    if (/^(F|BF)\d+$/.test(tensor.dtype)) feeds[name] = await toFloat32(tensor);
  }
  return feeds;
}
