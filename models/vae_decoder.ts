import { silu } from "../graph/ops/activation.ts";
import { add, div } from "../graph/ops/arithmetic.ts";
import { cast } from "../graph/ops/elementwise.ts";
import { scope } from "../graph/scope.ts";
import type { Dim } from "../graph/shape.ts";
import { constant, type Value } from "../graph/value.ts";
import type { TensorSource } from "../weights/stored_tensor.ts";
import { GraphInputs } from "./graph_inputs.ts";
import type { GraphModel, ModelOptions } from "./graph_model.ts";
import { conv2d, groupNorm, upsample2d } from "./layers.ts";
import { NetworkWeights } from "./network_weights.ts";
import { VAE_EPSILON, vaeMidBlock, vaeResnet } from "./vae_blocks.ts";
import type { VaeConfig } from "./vae_config.ts";
import { latentScale } from "./vae_latents.ts";

/** Sizes of an autoencoder graph, in latent pixels. */
export interface LatentShape {
  /** Pictures at once; a name makes it variable. */
  readonly batch: Dim;
  /** Height of the latents: the picture's divided by `config.factor`. */
  readonly height: number;
  /** Width of the latents. */
  readonly width: number;
}

/**
 * The autoencoder's decoder (diffusers AutoencoderKL). Input: `latents` [B, 4, h, w] as the U-Net
 * has them; the graph undoes their scaling. Output: `image` [B, 3, 8h, 8w], about -1..1, not
 * clipped. Throws ModelFormatError when the weights do not fit the config.
 */
export function vaeDecoder(
  config: VaeConfig,
  source: TensorSource,
  { batch, height, width }: LatentShape,
  options: ModelOptions = {},
): GraphModel {
  const w = NetworkWeights.of("the VAE decoder", source, options);
  const inputs = new GraphInputs(options);
  const latents = inputs.take("latents", "float32", [batch, config.latentChannels, height, width]);
  let h = cast(unscaled(latents, config), w.dtype);
  if (config.postQuantConv) {
    h = conv2d(h, w.at("post_quant_conv"), config.latentChannels, { kernel: 1 });
  }
  return {
    name: "vae_decoder",
    outputs: { image: cast(decoder(h, w.at("decoder"), config), "float32") },
    inputs: [...inputs.list(), ...w.parameters],
    parameters: w.parameters,
    unexpected: w.unexpected((name) => /^(encoder|quant_conv)\./.test(name)),
  };
}

/** From the U-Net's latents to the autoencoder's own: the inverse of how they were normalized. */
function unscaled(latents: Value, config: VaeConfig): Value {
  const { shift, scale } = latentScale(config);
  const perChannel = (values: readonly number[]) =>
    constant(Float32Array.from(values), [1, config.latentChannels, 1, 1]);
  const divided = div(latents, perChannel(scale));
  return shift.every((value) => value === 0) ? divided : add(divided, perChannel(shift));
}

function decoder(x: Value, w: NetworkWeights, config: VaeConfig): Value {
  return scope(w.label, () => {
    const widths = config.blockOutChannels.toReversed();
    let h = conv2d(x, w.at("conv_in"), widths[0]!);
    h = vaeMidBlock(h, w.at("mid_block"), config);
    widths.forEach((channels, i) => {
      const isLast = i === widths.length - 1;
      h = decoderBlock(h, w.at(`up_blocks.${i}`), channels, config, !isLast);
    });
    h = silu(groupNorm(h, w.at("conv_norm_out"), config.normGroups, VAE_EPSILON));
    return conv2d(h, w.at("conv_out"), config.outChannels);
  });
}

/** Residual blocks of one resolution, then twice the size. */
function decoderBlock(
  x: Value,
  w: NetworkWeights,
  channels: number,
  config: VaeConfig,
  upsample: boolean,
): Value {
  return scope(w.label, () => {
    let h = x;
    for (let i = 0; i <= config.layersPerBlock; i++) {
      h = vaeResnet(h, w.at(`resnets.${i}`), channels, config);
    }
    if (!upsample) return h;
    const [, , height, width] = h.shape as [Dim, Dim, number, number];
    return upsample2d(h, w.at("upsamplers.0"), [2 * height, 2 * width]);
  });
}
