import { silu } from "../graph/ops/activation.ts";
import { add, mul, sub } from "../graph/ops/arithmetic.ts";
import { cast } from "../graph/ops/elementwise.ts";
import type { Value } from "../graph/value.ts";
import type { TensorSource } from "../weights/stored_tensor.ts";
import { freeUFactors } from "./free_u.ts";
import { GraphInputs } from "./graph_inputs.ts";
import type { GraphModel, ModelOptions } from "./graph_model.ts";
import { conv2d, groupNorm } from "./layers.ts";
import { NetworkWeights } from "./network_weights.ts";
import { downBlock, midBlock, upBlock } from "./unet_blocks.ts";
import { type ConditionedSample, conditionedSample, type UNetShape } from "./unet_conditioning.ts";
import type { UNetConfig, UNetTrunkConfig } from "./unet_config.ts";
import type { UNetVariant } from "./unet_variant.ts";

/** Names of the ControlNet's outputs and of the U-Net's inputs for them. */
export const MID_RESIDUAL = "mid_block_additional_residual";
/** Name of the residual that is added to skip `i`. */
export const downResidual = (i: number): string => `down_block_additional_residuals_${i}`;

/** How a U-Net is built. */
export interface UNetOptions extends ModelOptions {
  /** Adds an input for each skip connection and the mid block: what ControlNets compute. */
  readonly controlResiduals?: boolean;
  /** How it differs from the network that was trained. Default: not at all. */
  readonly variant?: UNetVariant;
}

/**
 * The U-Net (diffusers UNet2DConditionModel; arXiv:2112.10752). Inputs: `sample` [B, C, h, w]
 * scaled by the scheduler, `timestep` [B] (may be fractional), `encoder_hidden_states` [B, S, D],
 * and what `conditionedSample` adds for SDXL, LCM and the x4 upscaler. Output: `noise_prediction`
 * [B, C', h, w] (or v, or the sample: as it was trained). Any latent size works, also odd ones.
 * Throws ModelFormatError when the weights do not fit the config.
 */
export function unet(
  config: UNetConfig,
  source: TensorSource,
  shape: UNetShape,
  options: UNetOptions = {},
): GraphModel {
  const w = NetworkWeights.of("the U-Net", source, options);
  const inputs = new GraphInputs(options);
  const variant = options.variant ?? {};
  const given = { ...conditionedSample(config, w, inputs, shape), variant };

  const trunk = downTrunk(firstConvolution(config, w, given), w, given);
  let { h } = trunk;
  let skips = trunk.skips;
  if (options.controlResiduals) {
    const residual = (name: string, like: Value) =>
      cast(inputs.take(name, "float32", like.shape), w.dtype);
    skips = skips.map((skip, i) => add(skip, residual(downResidual(i), skip)));
    h = add(h, residual(MID_RESIDUAL, h));
  }
  config.upBlocks.forEach((block, i) => {
    const factors = variant.freeU && freeUFactors(variant.freeU, i);
    h = upBlock(h, w.at(`up_blocks.${i}`), block, { ...given, freeU: factors }, skips);
  });
  h = silu(groupNorm(h, w.at("conv_norm_out"), config.normGroups, config.normEpsilon));
  h = conv2d(h, w.at("conv_out"), config.outChannels, { kernel: config.convOutKernel });
  return {
    name: "unet",
    inputs: [...inputs.list(), ...w.parameters],
    outputs: { noise_prediction: cast(h, "float32") },
    parameters: w.parameters,
    unexpected: w.unexpected(),
  };
}

function firstConvolution(
  config: UNetConfig,
  w: NetworkWeights,
  { sample }: ConditionedSample,
): Value {
  const centered = config.centerInput ? sub(mul(sample, 2), 1) : sample;
  return conv2d(cast(centered, w.dtype), w.at("conv_in"), config.downBlocks[0]!.channels, {
    kernel: config.convInKernel,
  });
}

/**
 * From the first convolution's result down to the mid block: its output, and the skip connections
 * in the order in which they were made. The ControlNet is a copy of just this.
 */
export function downTrunk(
  first: Value,
  w: NetworkWeights,
  given: ConditionedSample & { readonly config: UNetTrunkConfig },
): { h: Value; skips: Value[] } {
  let h = first;
  const skips = [first];
  const blocks = given.config.downBlocks;
  blocks.forEach((block, i) => {
    const isLast = i === blocks.length - 1;
    const result = downBlock(h, w.at(`down_blocks.${i}`), block, given, !isLast);
    h = result.h;
    skips.push(...result.skips);
  });
  return { h: midBlock(h, w.at("mid_block"), given), skips };
}
