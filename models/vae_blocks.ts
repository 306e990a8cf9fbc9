import { add } from "../graph/ops/arithmetic.ts";
import { scope } from "../graph/scope.ts";
import type { Value } from "../graph/value.ts";
import { groupNorm } from "./layers.ts";
import type { NetworkWeights } from "./network_weights.ts";
import { resnet } from "./resnet.ts";
import { attention, toPicture, toSequence } from "./transformer.ts";
import type { VaeConfig } from "./vae_config.ts";

/** Epsilon of every norm of the autoencoder (fixed in diffusers' Encoder and Decoder). */
export const VAE_EPSILON = 1e-6;

/** A residual block without a timestep. */
export function vaeResnet(
  x: Value,
  w: NetworkWeights,
  channels: number,
  config: VaeConfig,
): Value {
  return resnet(x, w, { channels, groups: config.normGroups, epsilon: VAE_EPSILON });
}

/** The coarsest resolution: residual block, attention over all pixels, residual block. */
export function vaeMidBlock(x: Value, w: NetworkWeights, config: VaeConfig): Value {
  return scope(w.label, () => {
    const channels = config.blockOutChannels.at(-1)!;
    let h = vaeResnet(x, w.at("resnets.0"), channels, config);
    if (config.midAttention) h = pixelAttention(h, w.at("attentions.0"), config);
    return vaeResnet(h, w.at("resnets.1"), channels, config);
  });
}

/** Self-attention of one head as wide as the channels, added to its input. */
function pixelAttention(x: Value, w: NetworkWeights, config: VaeConfig): Value {
  return scope(w.label, () => {
    const pixels = toSequence(groupNorm(x, w.at("group_norm"), config.normGroups, VAE_EPSILON));
    const y = attention(pixels, pixels, w, { heads: 1, bias: true, upcastAttention: false });
    return add(toPicture(y, x), x);
  });
}
