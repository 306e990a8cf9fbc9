/**
 * CLIP's two towers: texts and pictures as vectors in one space.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { div, mul, sub } from "../graph/ops/arithmetic.ts";
import { sqrt } from "../graph/ops/elementwise.ts";
import { linear } from "../graph/ops/linalg.ts";
import { reduceSum } from "../graph/ops/reduce.ts";
import { constant, initializer, input, type Value } from "../graph/value.ts";
import { type ClipVisionConfig, clipVisionConfig } from "../models/clip_config.ts";
import { clipTextModel } from "../models/clip_text.ts";
import { clipVisionModel } from "../models/clip_vision.ts";
import type { Image } from "../pipeline/image.ts";
import type { ModelParts, TextEncoderParts } from "../pipeline/model_parts.ts";
import { openModel } from "../pipeline/open_model.ts";
import { readJsonObject } from "../pipeline/pipeline_index.ts";
import { ModelFormatError } from "../weights/model_format_error.ts";
import { openComponent, openWeights } from "../weights/open_weights.ts";
import { toFloat32 } from "../weights/read.ts";
import type { TensorSource } from "../weights/stored_tensor.ts";
import { Computation, type Feeds, weightFeeds } from "./computation.ts";
import type { Laboratory } from "./topic.ts";

/** Mean and deviation of the channels of CLIP's training pictures (openai/CLIP, clip.py). */
const MEAN = [0.48145466, 0.4578275, 0.40821073];
const DEVIATION = [0.26862954, 0.26130258, 0.27577711];

/** An image encoder, and the text encoder that it was trained beside. */
export class Clip {
  private constructor(
    readonly laboratory: Laboratory,
    readonly vision: { readonly config: ClipVisionConfig; readonly weights: TensorSource },
    /** What graphs with `embed` must be fed beside the pictures. */
    readonly weights: Feeds,
    readonly text: TextEncoderParts,
    readonly projection: Float32Array<ArrayBuffer>,
    /** What cosines are multiplied by: the inverse of the temperature. */
    readonly scale: number,
  ) {}

  /** Opens both; reads headers and two small tensors. @throws {ModelFormatError} if there are none. */
  static async open(laboratory: Laboratory): Promise<Clip> {
    const { unet, textEncoders, path } = await partsWithClip(laboratory);
    const folder = dirname(dirname(unet.config.path));
    const configPath = join(folder, "image_encoder", "config.json");
    const config = clipVisionConfig(await readJsonObject(configPath), configPath);
    const weights = await openComponent(join(folder, "image_encoder"), {
      variant: path === laboratory.parts.path && !laboratory.isEmbedded ? undefined : "fp16",
    });
    const shared = await openWeights(join(folder, "clip", "text_projection.safetensors"));
    const read = async (name: string) => {
      const tensor = shared.get(name);
      if (tensor) return await toFloat32(tensor);
      throw new ModelFormatError(
        `Cannot compare pictures with texts by ${path}: ${shared.path} has no ${name}. ` +
          "Leave --model out: the embedded model has both halves of CLIP.",
        { path: shared.path, key: name },
      );
    };
    const [projection, scale] = await Promise.all([
      read("text_projection.weight"),
      read("logit_scale"),
    ]);
    return new Clip(
      laboratory,
      { config, weights },
      await weightFeeds(weights),
      textEncoders[0]!,
      projection,
      Math.exp(scale[0]!),
    );
  }

  /** Side of the pictures that the image encoder takes. */
  get side(): number {
    return this.vision.config.imageSize;
  }

  /** Unit vectors of texts, [texts, width]. */
  async texts(texts: readonly string[]): Promise<Float32Array[]> {
    const { tokenizer, config, weights } = this.text, sequence = config.positions;
    const model = clipTextModel(config, weights, { batch: texts.length, sequence }, {
      pooled: true,
    });
    const matrix = initializer(
      "text_projection.weight",
      "float32",
      [this.width, config.hiddenSize],
      { data: new Uint8Array(this.projection.buffer) },
    );
    const { builder } = this.laboratory;
    const embeds = unit(linear(model.outputs.pooled!, matrix));
    using computation = await Computation.build(builder, { embeds });
    const ids = texts.flatMap((text) => tokenizer.encode(text).ids);
    const result = await computation.run({ input_ids: BigInt64Array.from(ids, BigInt) });
    return rows(result.embeds, this.width);
  }

  /** Unit vectors of pictures, [pictures, width]. */
  async pictures(images: readonly Image[]): Promise<Float32Array[]> {
    const { builder } = this.laboratory, { side } = this;
    const pixels = input("pixels", "float32", [images.length, 3, side, side]);
    using computation = await Computation.build(builder, { embeds: this.embed(pixels) });
    const result = await computation.run({
      ...this.weights,
      pixels: joined(images.map((image) => this.pixels(image))),
    });
    return rows(result.embeds, this.width);
  }

  /** The picture in the encoder's size, Float32Array [3, side, side] in -1..1. */
  pixels(image: Image): Float32Array {
    const { side } = this, plain = image.withoutAlpha();
    const fits = plain.width === side && plain.height === side;
    return (fits ? plain : plain.resize(side, side, "bicubic")).toTensor();
  }

  /** Unit vectors [B, width] of pictures [B, 3, side, side] in -1..1, as a graph. */
  embed(pixels: Value): Value {
    const channels = (values: readonly number[]) =>
      constant(Float32Array.from(values), [1, 3, 1, 1]);
    const shifted = sub(pixels, channels(MEAN.map((mean) => 2 * mean - 1)));
    const pixelValues = div(shifted, channels(DEVIATION.map((deviation) => 2 * deviation)));
    const { config, weights } = this.vision;
    const model = clipVisionModel(config, weights, { batch: pixels.shape[0]! }, {
      values: { pixel_values: pixelValues },
      parameter: () => true,
    });
    return unit(model.outputs.image_embeds!);
  }

  /** Width of the space that texts and pictures share. */
  get width(): number {
    return this.vision.config.projectionDim;
  }
}

/** The model's parts; the embedded model's, which is noted, where there is no image encoder. */
async function partsWithClip({ parts, isEmbedded, notes }: Laboratory): Promise<ModelParts> {
  const folder = dirname(dirname(parts.unet.config.path));
  try {
    if (isEmbedded || (await Deno.stat(join(folder, "image_encoder"))).isDirectory) return parts;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  notes.push(
    `${parts.path} has no image encoder (a folder image_encoder beside the others): the embedded ` +
      "model's pair of encoders stands in for it here. It knows digits and colours alone.",
  );
  return await openModel(undefined);
}

/** Vectors of length one. */
function unit(x: Value): Value {
  return div(x, sqrt(reduceSum(mul(x, x), { axes: [1], keepDims: true })));
}

/** A matrix as its rows. */
export function rows(matrix: Float32Array, width: number): Float32Array[] {
  return Array.from(
    { length: matrix.length / width },
    (_, i) => matrix.slice(i * width, (i + 1) * width),
  );
}

/** Arrays one after the other. */
export function joined(arrays: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const out = new Float32Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const array of arrays) {
    out.set(array, at);
    at += array.length;
  }
  return out;
}
