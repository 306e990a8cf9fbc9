import { silu } from "../graph/ops/activation.ts";
import { cast, clip } from "../graph/ops/elementwise.ts";
import { split } from "../graph/ops/join.ts";
import { scope } from "../graph/scope.ts";
import type { Value } from "../graph/value.ts";
import type { TensorSource } from "../weights/stored_tensor.ts";
import { GraphInputs } from "./graph_inputs.ts";
import type { GraphModel, ModelOptions } from "./graph_model.ts";
import { conv2d, groupNorm } from "./layers.ts";
import { NetworkWeights } from "./network_weights.ts";
import { VAE_EPSILON, vaeMidBlock, vaeResnet } from "./vae_blocks.ts";
import type { VaeConfig } from "./vae_config.ts";
import type { LatentShape } from "./vae_decoder.ts";

/**
 * The autoencoder's encoder (diffusers AutoencoderKL). Input: `image` [B, 3, 8h, 8w], -1..1; the
 * shape is given in latent pixels, as for the decoder. Outputs: `mean` and `logvar` [B, 4, h, w] of
 * the posterior, `logvar` within -30..20; `latentsFromMoments` makes the
 * U-Net's latents of them. Throws ModelFormatError when the weights do not fit the config.
 */
export function vaeEncoder(
  config: VaeConfig,
  source: TensorSource,
  { batch, height, width }: LatentShape,
  options: ModelOptions = {},
): GraphModel {
  const w = NetworkWeights.of("the VAE encoder", source, options);
  const { factor, latentChannels } = config;
  const inputs = new GraphInputs(options);
  const image = inputs.take("image", "float32", [
    batch,
    config.inChannels,
    height * factor,
    width * factor,
  ]);
  let h = encoder(cast(image, w.dtype), w.at("encoder"), config);
  if (config.quantConv) h = conv2d(h, w.at("quant_conv"), 2 * latentChannels, { kernel: 1 });
  const [mean, logvar] = split(cast(h, "float32"), [latentChannels, latentChannels], 1);
  return {
    name: "vae_encoder",
    inputs: [...inputs.list(), ...w.parameters],
    outputs: { mean: mean!, logvar: clip(logvar!, -30, 20) },
    parameters: w.parameters,
    unexpected: w.unexpected((name) => /^(decoder|post_quant_conv)\./.test(name)),
  };
}

function encoder(x: Value, w: NetworkWeights, config: VaeConfig): Value {
  return scope(w.label, () => {
    const widths = config.blockOutChannels;
    let h = conv2d(x, w.at("conv_in"), widths[0]!);
    widths.forEach((channels, i) => {
      const isLast = i === widths.length - 1;
      h = encoderBlock(h, w.at(`down_blocks.${i}`), channels, config, !isLast);
    });
    h = vaeMidBlock(h, w.at("mid_block"), config);
    h = silu(groupNorm(h, w.at("conv_norm_out"), config.normGroups, VAE_EPSILON));
    return conv2d(h, w.at("conv_out"), 2 * config.latentChannels);
  });
}

/** Residual blocks of one resolution, then half the size, padded at the right and bottom only. */
function encoderBlock(
  x: Value,
  w: NetworkWeights,
  channels: number,
  config: VaeConfig,
  downsample: boolean,
): Value {
  return scope(w.label, () => {
    let h = x;
    for (let i = 0; i < config.layersPerBlock; i++) {
      h = vaeResnet(h, w.at(`resnets.${i}`), channels, config);
    }
    if (!downsample) return h;
    const padding = [0, 0, 1, 1];
    return conv2d(h, w.at("downsamplers.0.conv"), channels, { stride: 2, padding });
  });
}
