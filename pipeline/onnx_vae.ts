/**
 * Autoencoders that are ONNX files already: what optimum leaves to its callers, done around them.
 *
 * @module
 */

import { Tensor } from "../ffi/tensor.ts";
import type { AutoencoderConfig } from "../models/autoencoder_graphs.ts";
import { latentScale } from "../models/vae_latents.ts";
import type { NetworkSession } from "./network_session.ts";
import { DECODER_NAMES, ENCODER_NAMES, OnnxNetwork } from "./onnx_network.ts";
import type { SessionBuilder } from "./session_builder.ts";

/** The decoder: takes `latents` as the U-Net has them, gives `image`. @throws {ModelFormatError} */
export async function openOnnxDecoder(
  builder: SessionBuilder,
  path: string,
  config: AutoencoderConfig,
): Promise<NetworkSession> {
  const network = await OnnxNetwork.load(builder, path, DECODER_NAMES);
  if (network.nameOf("latents") !== "latent_sample") return network;
  return around(network, async (feeds, options) => {
    const latents = feeds.latents!, { shift, scale } = latentScale(config);
    const [, channels, height, width] = latents.shape as number[], plane = height! * width!;
    const own = Float32Array.from(latents.data as Float32Array, (value, i) => {
      const channel = Math.floor(i / plane) % channels!;
      return Math.fround(value / scale[channel]!) + shift[channel]!;
    });
    using unscaled = Tensor.from(builder.runtime, "float32", own, [...latents.shape]);
    return await network.run({ latents: unscaled }, options);
  });
}

/**
 * The encoder: takes `image`, gives `mean` and, where the file gives a distribution, `logvar`.
 *
 * @throws {ModelFormatError}
 */
export async function openOnnxEncoder(
  builder: SessionBuilder,
  path: string,
): Promise<NetworkSession> {
  const network = await OnnxNetwork.load(builder, path, ENCODER_NAMES);
  return around(network, async (feeds, options) => {
    const { moments, ...rest } = await network.run(feeds, options);
    if (!moments) return rest;
    using both = moments;
    const [, channels, height, width] = both.shape as number[], half = channels! / 2;
    const values = both.data as Float32Array, middle = values.length / 2;
    const part = (from: number, to: number, [low, high] = [-Infinity, Infinity]) =>
      Tensor.from(
        builder.runtime,
        "float32",
        values.slice(from, to).map((v) => Math.min(Math.max(v, low!), high!)),
        [1, half, height!, width!],
      );
    return { mean: part(0, middle), logvar: part(middle, values.length, [-30, 20]) };
  });
}

function around(network: OnnxNetwork, run: NetworkSession["run"]): NetworkSession {
  return {
    inputs: network.inputs,
    run,
    get disposed() {
      return network.disposed;
    },
    dispose: () => network.dispose(),
  };
}
