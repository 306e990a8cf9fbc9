/**
 * Latents that lie in the memory of the device that computed them: what is decoded there need not come
 * here first.
 *
 * @module
 */

import type { Tensor } from "../ffi/tensor.ts";
import type { Latents, LatentSize } from "./autoencoder.ts";

const tensors = new WeakMap<Latents, Tensor>();

/** Latents over a tensor [1, channels, height, width]; `copy` is asked once, when somebody looks at them. */
export function latentsOnDevice(
  size: LatentSize,
  tensor: Tensor,
  copy: () => Float32Array,
): Latents {
  let data: Float32Array | undefined;
  const latents = {
    ...size,
    get data() {
      return data ??= copy();
    },
  };
  tensors.set(latents, tensor);
  return latents;
}

/** Where latents are on a device; undefined for those that are not. */
export function tensorOf(latents: Latents): Tensor | undefined {
  return tensors.get(latents);
}
