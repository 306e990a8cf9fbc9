import { silu } from "../graph/ops/activation.ts";
import { add, mul, sub } from "../graph/ops/arithmetic.ts";
import { cast } from "../graph/ops/elementwise.ts";
import type { Value } from "../graph/value.ts";
import { renamed, type TensorSource } from "../weights/stored_tensor.ts";
import { freeUFactors } from "./free_u.ts";
import { crossAttentionOrder } from "./ip_adapter_config.ts";
import type { ImagePrompt, ImagePrompts } from "./ip_adapter.ts";
import { adapterFeature } from "./t2i_adapter.ts";
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
  /** IP-Adapters, in order: adds the inputs `image_tokens_I` [B, T, C] and `image_scale_I` [1]. */
  readonly imagePrompts?: readonly ImagePromptOptions[];
  /** Adds an input for each feature of a T2I-Adapter: see `adapterFeature`. Default 0. */
  readonly adapterFeatures?: number;
  /** Where the network is cut, to keep what its deep part computes. Default: it is whole. */
  readonly cut?: UNetCut;
}

/**
 * A cut through the U-Net (DeepCache, Ma et al. 2023, arXiv:2312.00858): what is deeper changes
 * slowly from step to step, and can be left out while its last result is used again.
 */
export interface UNetCut {
  /** Skip connections above the cut, 1 to one less than all: the fewer, the cheaper what is left. */
  readonly depth: number;
  /** Whether the deep part's result is computed, as one more output, or is one more input. */
  readonly feature: "output" | "input";
}

/** Name of the deep part's result, as output and as input. */
export const DEEP_FEATURE = "deep_feature";

/** Skip connections of a U-Net: one for the first convolution, each layer, and each halving. */
export function skipCount({ downBlocks }: UNetTrunkConfig): number {
  return downBlocks.reduce((sum, { layers }) => sum + layers + 1, 0);
}

/** An IP-Adapter in a U-Net. */
export interface ImagePromptOptions {
  /** The adapter's file. */
  readonly weights: TensorSource;
  /** Tokens that a picture has. */
  readonly tokens: number;
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
  const given = {
    ...conditionedSample(config, w, inputs, shape),
    variant,
    imagePrompts: imagePromptsOf(config, inputs, shape, options),
  };
  let features = 0;
  const addFeature = (x: Value) =>
    features < (options.adapterFeatures ?? 0)
      ? add(x, cast(inputs.take(adapterFeature(features++), "float32", x.shape), w.dtype))
      : x;

  const trunk = downTrunk(firstConvolution(config, w, given), w, { ...given, addFeature });
  let { h } = trunk;
  let skips = trunk.skips;
  if (options.controlResiduals) {
    const residual = (name: string, like: Value) =>
      cast(inputs.take(name, "float32", like.shape), w.dtype);
    skips = skips.map((skip, i) => add(skip, residual(downResidual(i), skip)));
    h = add(h, residual(MID_RESIDUAL, h));
  }
  let deep: Value | undefined;
  const atCut = (x: Value) => {
    deep = cast(x, "float32");
    if (options.cut!.feature === "output") return x;
    return cast(inputs.take(DEEP_FEATURE, "float32", x.shape), w.dtype);
  };
  const join = (x: Value, skipsLeft: number) => skipsLeft === options.cut?.depth ? atCut(x) : x;
  config.upBlocks.forEach((block, i) => {
    const factors = variant.freeU && freeUFactors(variant.freeU, i);
    h = upBlock(h, w.at(`up_blocks.${i}`), block, { ...given, freeU: factors, join }, skips);
  });
  h = silu(groupNorm(h, w.at("conv_norm_out"), config.normGroups, config.normEpsilon));
  h = conv2d(h, w.at("conv_out"), config.outChannels, { kernel: config.convOutKernel });
  return {
    name: "unet",
    inputs: [...inputs.list(), ...w.parameters],
    outputs: {
      noise_prediction: cast(h, "float32"),
      ...(options.cut?.feature === "output" && { [DEEP_FEATURE]: deep! }),
    },
    parameters: w.parameters,
    unexpected: w.unexpected(),
  };
}

/** Inputs and weights of the IP-Adapters; each has its own file. */
function imagePromptsOf(
  config: UNetConfig,
  inputs: GraphInputs,
  { batch }: UNetShape,
  { imagePrompts = [], dtype }: UNetOptions,
): ImagePrompts | undefined {
  if (imagePrompts.length === 0) return undefined;
  const crossDim = config.downBlocks.at(-1)!.crossAttentionDim;
  const adapters = imagePrompts.map(({ weights, tokens }, i): ImagePrompt => {
    // Two adapters have equal names.
    const own = renamed(weights, (name) => `${i}.${name}`);
    const w = NetworkWeights.of("the IP-Adapter", own, dtype ? { dtype } : {});
    const states = inputs.take(`image_tokens_${i}`, "float32", [batch, tokens, crossDim]);
    const scale = inputs.take(`image_scale_${i}`, "float32", [1]);
    return { weights: w.at(`${i}`), tokens: cast(states, w.dtype), scale };
  });
  return { adapters, order: crossAttentionOrder(config) };
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
  given: ConditionedSample & {
    readonly config: UNetTrunkConfig;
    /** Adds the next feature of a T2I-Adapter, if there is one. */
    readonly addFeature?: (x: Value) => Value;
  },
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
  const bottom = midBlock(h, w.at("mid_block"), given);
  // XL's T2I-Adapters have one feature more than there are blocks.
  return { h: given.addFeature?.(bottom) ?? bottom, skips };
}
