import type { ConfigJson } from "./config_reader.ts";
import { ConfigReader } from "./config_reader.ts";

/** `config.json` of a diffusers AutoencoderKL, checked. */
export interface VaeConfig {
  /** Tells the autoencoders apart. */
  readonly kind: "kl";
  /** The file, for messages. */
  readonly path: string;
  /** Channels of the picture that is encoded: 3. */
  readonly inChannels: number;
  /** Channels of the picture that is decoded: 3. */
  readonly outChannels: number;
  /** Channels of the latents: 4. */
  readonly latentChannels: number;
  /** Channels of each resolution, finest first. */
  readonly blockOutChannels: readonly number[];
  /** Residual blocks per resolution of the encoder; the decoder has one more. */
  readonly layersPerBlock: number;
  /** Groups of every group norm. */
  readonly normGroups: number;
  /** Whether the mid blocks have attention. */
  readonly midAttention: boolean;
  /** Whether a 1x1 convolution follows the encoder. */
  readonly quantConv: boolean;
  /** Whether a 1x1 convolution precedes the decoder. */
  readonly postQuantConv: boolean;
  /** The U-Net's latents are (moments - shift) * scaling. */
  readonly scalingFactor: number;
  /** See `scalingFactor`. */
  readonly shiftFactor: number;
  /** Per-channel statistics that replace the shift and divide the scaling (Playground 2.5). */
  readonly latentsMean: readonly number[] | undefined;
  /** See `latentsMean`. */
  readonly latentsStd: readonly number[] | undefined;
  /** Must run in float32: activations overflow float16. */
  readonly forceUpcast: boolean;
  /** Side of the pictures it was trained on, in pixels; the natural tile size. */
  readonly sampleSize: number;
  /** Picture pixels per latent pixel: 8 for Stable Diffusion. */
  readonly factor: number;
}

/**
 * Checks the `config.json` of an AutoencoderKL (defaults: the constructor's of diffusers 0.42.1).
 * Throws ModelFormatError for a damaged file and for variants that are not built.
 */
export function vaeConfig(json: ConfigJson, path: string): VaeConfig {
  const reader = new ConfigReader(json, path);
  reader.requireClass(["AutoencoderKL"]);
  reader.refuse("act_fn", ["silu", "swish"]);
  const blockOutChannels = reader.integers("block_out_channels", [64]);
  const blocks = blockOutChannels.length;
  const down = reader.choices("down_block_types", ["DownEncoderBlock2D"], ["DownEncoderBlock2D"]);
  const up = reader.choices("up_block_types", ["UpDecoderBlock2D"], ["UpDecoderBlock2D"]);
  if (down.length !== blocks) throw reader.wrong("down_block_types", `${blocks} names`);
  if (up.length !== blocks) throw reader.wrong("up_block_types", `${blocks} names`);
  const latentChannels = reader.integer("latent_channels", 4);
  return {
    kind: "kl",
    path,
    inChannels: reader.integer("in_channels", 3),
    outChannels: reader.integer("out_channels", 3),
    latentChannels,
    blockOutChannels,
    layersPerBlock: reader.integer("layers_per_block", 1),
    normGroups: reader.integer("norm_num_groups", 32),
    midAttention: reader.boolean("mid_block_add_attention", true),
    quantConv: reader.boolean("use_quant_conv", true),
    postQuantConv: reader.boolean("use_post_quant_conv", true),
    scalingFactor: scalingFactor(reader),
    shiftFactor: reader.number("shift_factor", 0),
    latentsMean: reader.optionalNumbers("latents_mean", latentChannels),
    latentsStd: reader.optionalNumbers("latents_std", latentChannels),
    forceUpcast: reader.boolean("force_upcast", true),
    sampleSize: reader.integer("sample_size", 32),
    factor: 2 ** (blocks - 1),
  };
}

function scalingFactor(reader: ConfigReader): number {
  const value = reader.number("scaling_factor", 0.18215);
  if (value <= 0) throw reader.wrong("scaling_factor", "a number above 0");
  return value;
}
