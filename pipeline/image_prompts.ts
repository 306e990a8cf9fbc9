/**
 * Pictures as prompts: IP-Adapters with the CLIP image encoder that they were trained with.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { Tensor } from "../ffi/tensor.ts";
import { type ClipVisionConfig, clipVisionConfig } from "../models/clip_config.ts";
import { CLIP_DEVIATION, CLIP_MEAN } from "../models/clip_likeness.ts";
import { clipVisionModel } from "../models/clip_vision.ts";
import { ipAdapterProjection } from "../models/ip_adapter.ts";
import {
  type IpAdapterConfig,
  ipAdapterConfig,
  ipAdapterLora,
} from "../models/ip_adapter_config.ts";
import type { ImagePromptOptions } from "../models/unet.ts";
import { ModelFormatError } from "../weights/model_format_error.ts";
import { openComponent, openWeights } from "../weights/open_weights.ts";
import type { ExtraInput } from "./extra_input.ts";
import type { Image } from "./image.ts";
import { mergeOne } from "./lora.ts";
import type { ModelParts, Network } from "./model_parts.ts";
import { readJsonObject } from "./pipeline_index.ts";
import { OptionError } from "./options.ts";
import type { SessionBuilder } from "./session_builder.ts";
import { SessionCache } from "./session_cache.ts";

/** An IP-Adapter to open. */
export interface IpAdapter {
  /** Its file: `ip-adapter_sd15.safetensors`, `ip-adapter-plus_sdxl_vit-h.bin`, ... */
  readonly path: string;
  /** Folder of its image encoder. Default: `image_encoder` beside the file. */
  readonly imageEncoder?: string;
}

/** A picture that an IP-Adapter is shown, or a face. */
export interface ImagePrompt {
  /** Of any size: its middle square is looked at. All but FaceID adapters need it. */
  readonly image?: Image;
  /** For FaceID: a face recognizer's embedding of length one, of insightface's 512 numbers. */
  readonly face?: Float32Array;
  /** How strongly it acts. Default 1. */
  readonly scale?: number;
}

/** An IP-Adapter with its image encoder; FaceID has none. */
export interface IpAdapterParts {
  readonly adapter: Network<IpAdapterConfig>;
  readonly encoder: Network<ClipVisionConfig> | undefined;
}

/** Opens an IP-Adapter: headers only. `crossDim` is the U-Net's. @throws {ModelFormatError} */
export async function openIpAdapter(
  { path, imageEncoder = join(dirname(path), "image_encoder") }: IpAdapter,
  crossDim: number,
): Promise<IpAdapterParts> {
  const weights = await openWeights(path), config = ipAdapterConfig(weights);
  if (config.crossDim !== crossDim) {
    throw new ModelFormatError(
      `Cannot use ${path} with this model: its tokens are ${config.crossDim} wide, expected ` +
        `${crossDim}. It was trained for another family.`,
      { path, key: "image_proj" },
    );
  }
  if (config.kind === "face") return { adapter: { config, weights }, encoder: undefined };
  const configPath = join(imageEncoder, "config.json");
  const encoder = {
    config: clipVisionConfig(await readJsonObject(configPath), configPath),
    weights: await openComponent(imageEncoder),
  };
  const { projectionDim, hiddenSize } = encoder.config;
  const embedDim = config.kind === "pooled" ? projectionDim : hiddenSize;
  if (embedDim === config.embedDim) return { adapter: { config, weights }, encoder };
  throw new ModelFormatError(
    `Cannot use ${imageEncoder} with ${path}: it gives ${embedDim} numbers, expected ` +
      `${config.embedDim}. Give the image encoder that the adapter was trained with.`,
    { path: imageEncoder },
  );
}

/** The parts with the LoRAs merged that come with FaceID adapters. @throws {ModelFormatError} */
export async function mergeFaceLoras(
  parts: ModelParts,
  adapters: readonly IpAdapterParts[],
): Promise<ModelParts> {
  let merged = parts;
  for (const { adapter: { weights } } of adapters) {
    const lora = ipAdapterLora(weights, parts.unet.config);
    if (lora) merged = await mergeOne(merged, lora, 1);
  }
  return merged;
}

/** What a picture becomes for the U-Net, with and without it. */
interface Tokens {
  readonly tokens: Float32Array;
  readonly unconditional: Float32Array;
  readonly shape: readonly [number, number];
}

/** Encodes pictures for the U-Net. */
export class ImagePrompter implements Disposable {
  readonly #encoders = new SessionCache(2);
  readonly #projections = new SessionCache(4);

  constructor(readonly parts: readonly IpAdapterParts[], readonly builder: SessionBuilder) {}

  /** How the U-Net's graph is changed, and what it is fed, for one picture an adapter. */
  async prepare(
    prompts: readonly ImagePrompt[],
    signal?: AbortSignal,
  ): Promise<{ imagePrompts: ImagePromptOptions[]; inputs: ExtraInput[] }> {
    const imagePrompts = [], inputs: ExtraInput[] = [];
    for (const [i, shown] of prompts.entries()) {
      const { scale = 1 } = shown;
      const { tokens, unconditional, shape } = await this.#tokens(i, shown, signal);
      imagePrompts.push({ weights: this.parts[i]!.adapter.weights, tokens: shape[0] });
      inputs.push(
        { name: `image_tokens_${i}`, shape, data: tokens, unconditional },
        { name: `image_scale_${i}`, shape: [1], data: Float32Array.of(scale), shared: true },
      );
    }
    return { imagePrompts, inputs };
  }

  /** Releases the sessions. */
  [Symbol.dispose](): void {
    this.#encoders[Symbol.dispose]();
    this.#projections[Symbol.dispose]();
  }

  /** As diffusers: no picture is an embedding of zeros, or for states the encoded black of CLIP. */
  async #tokens(
    index: number,
    shown: ImagePrompt,
    signal: AbortSignal | undefined,
  ): Promise<Tokens> {
    const { adapter: { config }, encoder } = this.parts[index]!;
    const states = encoder
      ? await this.#encode(index, encoder, pictureOf(shown, encoder), signal)
      : faceOf(shown, config);
    const without = encoder && config.kind !== "pooled"
      ? await this.#encode(index, encoder, blackOf(encoder), signal)
      : new Float32Array(states.length);
    const tokens = await this.#project(index, states, signal);
    const unconditional = await this.#project(index, without, signal);
    return { tokens, unconditional, shape: [tokens.length / config.crossDim, config.crossDim] };
  }

  /** Float32Array [states, embedDim]. */
  async #encode(
    index: number,
    encoder: Network<ClipVisionConfig>,
    pixels: Float32Array,
    signal: AbortSignal | undefined,
  ) {
    const { adapter: { config } } = this.parts[index]!, { imageSize } = encoder.config;
    const session = await this.#encoders.get(`${index}`, () =>
      this.builder.build(
        clipVisionModel(encoder.config, encoder.weights, { batch: 1 }, { penultimate: true }),
      ));
    const shape = [1, 3, imageSize, imageSize];
    using input = Tensor.from(this.builder.runtime, "float32", pixels, shape);
    const outputs = await session.run({ pixel_values: input }, signal ? { signal } : {});
    using pooled = outputs.image_embeds!, states = outputs.penultimate!;
    return ((config.kind === "pooled" ? pooled : states).data as Float32Array).slice();
  }

  /** Float32Array [tokens, crossDim]. */
  async #project(index: number, states: Float32Array, signal: AbortSignal | undefined) {
    const { config, weights } = this.parts[index]!.adapter;
    const count = states.length / config.embedDim, shape = [1, count, config.embedDim];
    const session = await this.#projections.get(
      `${index}`,
      () => this.builder.build(ipAdapterProjection(config, weights, { batch: 1, states: count })),
    );
    using input = Tensor.from(this.builder.runtime, "float32", states, shape);
    const outputs = await session.run({ image_states: input }, signal ? { signal } : {});
    using tokens = outputs.image_tokens!;
    return (tokens.data as Float32Array).slice();
  }
}

/** CLIP's pixels of what an adapter is shown. @throws {OptionError} for a face alone. */
function pictureOf({ image }: ImagePrompt, { config }: Network<ClipVisionConfig>): Float32Array {
  if (image) return clipPixels(image, config.imageSize);
  throw new OptionError("imagePrompts", "Cannot generate: this IP-Adapter is shown a picture.");
}

const blackOf = ({ config: { imageSize } }: Network<ClipVisionConfig>) =>
  new Float32Array(3 * imageSize * imageSize);

/** The embedding that a FaceID adapter is shown. @throws {OptionError} for another. */
function faceOf({ face }: ImagePrompt, { embedDim }: IpAdapterConfig): Float32Array {
  if (face?.length === embedDim) return face;
  throw new OptionError(
    "imagePrompts",
    "Cannot generate: a FaceID adapter is shown a face recognizer's embedding; got " +
      `${
        face ? `${face.length} numbers` : "none"
      }, expected ${embedDim}. This program has no face ` +
      "recognizer: compute it by insightface.",
  );
}

/** The middle square of a picture as CLIP takes it: Float32Array [3, side, side], normalized. */
export function clipPixels(image: Image, side: number): Float32Array {
  const rgb = image.withoutAlpha(), { width, height } = rgb, short = Math.min(width, height);
  const [w, h] = [width, height].map((size) =>
    size === short ? side : Math.trunc(side * size / short)
  );
  const sized = rgb.resize(w!, h!, "bicubic");
  const square = sized.crop((w! - side) >> 1, (h! - side) >> 1, side, side);
  const out = new Float32Array(3 * side * side);
  for (let c = 0, at = 0; c < 3; c++) {
    for (let i = c; i < square.data.length; i += 3) {
      out[at++] = (square.data[i]! / 255 - CLIP_MEAN[c]!) / CLIP_DEVIATION[c]!;
    }
  }
  return out;
}
