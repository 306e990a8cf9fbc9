/** The graphs of an autoencoder, whichever kind it is. */
import { add, div } from "../graph/ops/arithmetic.ts";
import type { TensorSource } from "../weights/stored_tensor.ts";
import type { GraphModel, ModelOptions } from "./graph_model.ts";
import { type TinyVaeConfig, tinyVaeDecoder, tinyVaeEncoder } from "./tiny_vae.ts";
import type { VaeConfig } from "./vae_config.ts";
import { type LatentShape, vaeDecoder } from "./vae_decoder.ts";
import { vaeEncoder } from "./vae_encoder.ts";

/** `config.json` of any autoencoder, checked. */
export type AutoencoderConfig = VaeConfig | TinyVaeConfig;

/** Input: `latents` as the U-Net has them. Output: `image`, about -1..1. Throws ModelFormatError. */
export function decoderGraph(
  config: AutoencoderConfig,
  weights: TensorSource,
  shape: LatentShape,
  options: ModelOptions = {},
): GraphModel {
  return config.kind === "tiny"
    ? tinyVaeDecoder(config, weights, shape, options)
    : vaeDecoder(config, weights, shape, options);
}

/**
 * Input: `image`, -1..1. Output: `mean` as the network has it, not scaled as the U-Net wants it;
 * where the autoencoder makes a distribution, `logvar` as well. Throws ModelFormatError.
 */
export function encoderGraph(
  config: AutoencoderConfig,
  weights: TensorSource,
  shape: LatentShape,
  options: ModelOptions = {},
): GraphModel {
  if (config.kind === "kl") return vaeEncoder(config, weights, shape, options);
  const { outputs, ...model } = tinyVaeEncoder(config, weights, shape, options);
  const mean = add(div(outputs.latents!, config.scalingFactor), config.shiftFactor);
  return { ...model, outputs: { mean } };
}
