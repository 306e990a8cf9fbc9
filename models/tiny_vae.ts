/**
 * TAESD, the autoencoder of a few megabytes (diffusers AutoencoderTiny): a preview of any step, or
 * a fast substitute for the VAE.
 */
import { add, div, mul, sub } from "../graph/ops/arithmetic.ts";
import { cast, relu, tanh } from "../graph/ops/elementwise.ts";
import { resizeNearest } from "../graph/ops/resize.ts";
import { scope } from "../graph/scope.ts";
import type { Value } from "../graph/value.ts";
import type { TensorSource } from "../weights/stored_tensor.ts";
import type { ConfigJson } from "./config_reader.ts";
import { ConfigReader } from "./config_reader.ts";
import { GraphInputs } from "./graph_inputs.ts";
import type { GraphModel, ModelOptions } from "./graph_model.ts";
import { conv2d } from "./layers.ts";
import { NetworkWeights } from "./network_weights.ts";
import type { LatentShape } from "./vae_decoder.ts";

/** `config.json` of a diffusers AutoencoderTiny, checked. */
export interface TinyVaeConfig {
  /** Tells the autoencoders apart. */
  readonly kind: "tiny";
  /** The file, for messages. */
  readonly path: string;
  /** Channels of the picture that is encoded. */
  readonly inChannels: number;
  /** Channels of the picture that is decoded. */
  readonly outChannels: number;
  /** Channels of the latents. */
  readonly latentChannels: number;
  /** Width of each stage of the encoder, finest first. */
  readonly encoderChannels: readonly number[];
  /** Width of each stage of the decoder, coarsest first. */
  readonly decoderChannels: readonly number[];
  /** Residual blocks in each stage of the encoder. */
  readonly encoderBlocks: readonly number[];
  /** Residual blocks in each stage of the decoder. */
  readonly decoderBlocks: readonly number[];
  /** How much each stage of the decoder but the last enlarges. */
  readonly upscale: number;
  /** The U-Net's latents are (latents - shift) * scaling. */
  readonly scalingFactor: number;
  /** See `scalingFactor`. */
  readonly shiftFactor: number;
  /** Picture pixels per latent pixel: 8. */
  readonly factor: number;
  /** Side of the tiles that large pictures are decoded in, in pixels. */
  readonly sampleSize: number;
}

/** diffusers' tile for an AutoencoderTiny, in pixels. */
const TILE_SIDE = 512;

/**
 * Checks the `config.json` of an AutoencoderTiny (defaults: the constructor's of diffusers 0.42.1).
 * Throws ModelFormatError for a damaged file and for variants that are not built.
 */
export function tinyVaeConfig(json: ConfigJson, path: string): TinyVaeConfig {
  const reader = new ConfigReader(json, path);
  reader.requireClass(["AutoencoderTiny"]);
  reader.refuse("act_fn", ["relu"]);
  reader.refuse("upsample_fn", ["nearest"]);
  const encoderBlocks = reader.integers("num_encoder_blocks", [1, 3, 3, 3]);
  const decoderBlocks = reader.integers("num_decoder_blocks", [3, 3, 3, 1]);
  const widths = (key: string, count: number) => reader.integers(key, Array(count).fill(64), count);
  return {
    kind: "tiny",
    path,
    inChannels: reader.integer("in_channels", 3),
    outChannels: reader.integer("out_channels", 3),
    latentChannels: reader.integer("latent_channels", 4),
    encoderChannels: widths("encoder_block_out_channels", encoderBlocks.length),
    decoderChannels: widths("decoder_block_out_channels", decoderBlocks.length),
    encoderBlocks,
    decoderBlocks,
    upscale: reader.integer("upsampling_scaling_factor", 2),
    scalingFactor: reader.number("scaling_factor", 1),
    shiftFactor: reader.number("shift_factor", 0),
    factor: 2 ** (encoderBlocks.length - 1),
    sampleSize: TILE_SIDE,
  };
}

/**
 * Input: `latents` [B, 4, h, w] as the U-Net has them. Output: `image` [B, 3, 8h, 8w], about -1..1.
 * Throws ModelFormatError when the weights do not fit the config.
 */
export function tinyVaeDecoder(
  config: TinyVaeConfig,
  source: TensorSource,
  { batch, height, width }: LatentShape,
  options: ModelOptions = {},
): GraphModel {
  const w = NetworkWeights.of("the tiny VAE decoder", source, options);
  const inputs = new GraphInputs(options);
  const latents = inputs.take("latents", "float32", [batch, config.latentChannels, height, width]);
  const raw = add(div(latents, config.scalingFactor), config.shiftFactor);
  const clamped = mul(tanh(div(raw, 3)), 3);
  const h = decoder(cast(clamped, w.dtype), w.at("decoder"), config);
  return {
    name: "tiny_vae_decoder",
    inputs: [...inputs.list(), ...w.parameters],
    outputs: { image: sub(mul(cast(h, "float32"), 2), 1) },
    parameters: w.parameters,
    unexpected: w.unexpected((name) => name.startsWith("encoder.")),
  };
}

/**
 * Input: `image` [B, 3, 8h, 8w], -1..1. Output: `latents` [B, 4, h, w] as the U-Net has them; there
 * is no noise to draw. Throws ModelFormatError when the weights do not fit the config.
 */
export function tinyVaeEncoder(
  config: TinyVaeConfig,
  source: TensorSource,
  { batch, height, width }: LatentShape,
  options: ModelOptions = {},
): GraphModel {
  const w = NetworkWeights.of("the tiny VAE encoder", source, options);
  const { factor, scalingFactor, shiftFactor } = config;
  const size = [height * factor, width * factor] as const;
  const inputs = new GraphInputs(options);
  const image = inputs.take("image", "float32", [batch, config.inChannels, ...size]);
  const h = encoder(cast(div(add(image, 1), 2), w.dtype), w.at("encoder"), config);
  return {
    name: "tiny_vae_encoder",
    inputs: [...inputs.list(), ...w.parameters],
    outputs: { latents: mul(sub(cast(h, "float32"), shiftFactor), scalingFactor) },
    parameters: w.parameters,
    unexpected: w.unexpected((name) => name.startsWith("decoder.")),
  };
}

/** Layers are numbered in one list, those without weights too. */
function decoder(x: Value, w: NetworkWeights, config: TinyVaeConfig): Value {
  return scope(w.label, () => {
    const last = config.decoderBlocks.length - 1;
    let h = relu(conv2d(x, w.at("layers.0"), config.decoderChannels[0]!));
    let i = 2;
    config.decoderBlocks.forEach((blocks, stage) => {
      const channels = config.decoderChannels[stage]!;
      for (let block = 0; block < blocks; block++) {
        h = tinyBlock(h, w.at(`layers.${i++}`), channels);
      }
      if (stage === last) {
        h = conv2d(h, w.at(`layers.${i}`), config.outChannels);
      } else {
        h = resizeNearest(h, { scales: [config.upscale, config.upscale] });
        h = conv2d(h, w.at(`layers.${i + 1}`), channels, { bias: false });
        i += 2;
      }
    });
    return h;
  });
}

function encoder(x: Value, w: NetworkWeights, config: TinyVaeConfig): Value {
  return scope(w.label, () => {
    let h = x;
    let i = 0;
    config.encoderBlocks.forEach((blocks, stage) => {
      const channels = config.encoderChannels[stage]!;
      const down = stage === 0 ? {} : { stride: 2, bias: false };
      h = conv2d(h, w.at(`layers.${i++}`), channels, down);
      for (let block = 0; block < blocks; block++) {
        h = tinyBlock(h, w.at(`layers.${i++}`), channels);
      }
    });
    return conv2d(h, w.at(`layers.${i}`), config.latentChannels);
  });
}

/** Three convolutions added to their input. */
function tinyBlock(x: Value, w: NetworkWeights, channels: number): Value {
  return scope(w.label, () => {
    const step = (value: Value, i: number) => conv2d(value, w.at(`conv.${i}`), channels);
    return relu(add(step(relu(step(relu(step(x, 0)), 2)), 4), x));
  });
}
