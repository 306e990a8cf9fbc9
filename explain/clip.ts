/**
 * CLIP's two towers: texts and pictures as vectors in one space.
 *
 * @module
 */

import { join } from "node:path";
import { unitLength } from "../graph/ops/normalization.ts";
import { input, type Value } from "../graph/value.ts";
import { normalizedForClip } from "../models/clip_likeness.ts";
import { clipTextModel } from "../models/clip_text.ts";
import { clipVisionModel } from "../models/clip_vision.ts";
import { type ClipPair, openClipPair } from "../pipeline/clip_pair.ts";
import { exists } from "../pipeline/existing.ts";
import type { Image } from "../pipeline/image.ts";
import { joined } from "../pipeline/joined.ts";
import { folderOf, type ModelParts, type TextEncoderParts } from "../pipeline/model_parts.ts";
import { openModel } from "../pipeline/open_model.ts";
import { Computation, type Feeds } from "../training/computation.ts";
import { ModelFormatError } from "../weights/model_format_error.ts";
import { toFloat32 } from "../weights/read.ts";
import { rows } from "./measure.ts";
import type { Laboratory } from "./topic.ts";
import { weightFeeds } from "./weight_feeds.ts";

/** An image encoder, and the text encoder that it was trained beside. */
export class Clip {
  private constructor(
    readonly laboratory: Laboratory,
    readonly vision: ClipPair["vision"],
    /** What graphs with `embed` must be fed beside the pictures. */
    readonly weights: Feeds,
    readonly text: TextEncoderParts,
    /** What cosines are multiplied by: the inverse of the temperature. */
    readonly scale: number,
  ) {}

  /** Opens both; reads headers and one small tensor. @throws {ModelFormatError} if there are none. */
  static async open(laboratory: Laboratory): Promise<Clip> {
    const parts = await partsWithClip(laboratory);
    const { vision, text } = await openClipPair(parts, undefined);
    const scale = text?.weights.get("logit_scale");
    if (!text || !scale) {
      throw new ModelFormatError(
        `Cannot compare pictures with texts by ${parts.path}: it has no clip/` +
          "text_projection.safetensors with text_projection.weight and logit_scale. " +
          "Leave --model out: the embedded model has both halves of CLIP.",
        { path: parts.path, key: "logit_scale" },
      );
    }
    return new Clip(
      laboratory,
      vision,
      await weightFeeds(vision.weights),
      text,
      Math.exp((await toFloat32(scale))[0]!),
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
    const { builder } = this.laboratory, embeds = unitLength(model.outputs.pooled!);
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
    const { config, weights } = this.vision;
    const model = clipVisionModel(config, weights, { batch: pixels.shape[0]! }, {
      values: { pixel_values: normalizedForClip(pixels) },
      parameter: () => true,
    });
    return unitLength(model.outputs.image_embeds!);
  }

  /** Width of the space that texts and pictures share. */
  get width(): number {
    return this.vision.config.projectionDim;
  }
}

/** The model's parts; the embedded model's, which is noted, where there is no image encoder. */
async function partsWithClip({ parts, isEmbedded, notes }: Laboratory): Promise<ModelParts> {
  if (isEmbedded || await exists(join(folderOf(parts), "image_encoder"))) return parts;
  notes.push(
    `${parts.path} has no image encoder (a folder image_encoder beside the others): the embedded ` +
      "model's pair of encoders stands in for it here. It knows digits and colours alone.",
  );
  return await openModel(undefined);
}
