/**
 * CLIP beside a model: the image encoder, and the text encoder that it was trained with.
 *
 * @module
 */

import { join } from "node:path";
import {
  type ClipTextConfig,
  clipTextConfig,
  type ClipVisionConfig,
  clipVisionConfig,
} from "../models/clip_config.ts";
import { ModelFormatError } from "../weights/model_format_error.ts";
import { openComponent, openWeights } from "../weights/open_weights.ts";
import type { TensorSource } from "../weights/stored_tensor.ts";
import { isFile } from "./existing.ts";
import { folderOf, type ModelParts, type Network, type TextEncoderParts } from "./model_parts.ts";
import { readJsonObject } from "./pipeline_index.ts";
import { ClipTokenizer } from "./tokenizer.ts";

/** Both halves; the text's may be missing: pictures can then be compared with pictures alone. */
export interface ClipPair {
  readonly vision: Network<ClipVisionConfig>;
  /** With its projection into the space of the pictures. */
  readonly text: TextEncoderParts | undefined;
}

/** Name of the matrix that takes texts to where pictures are. */
const PROJECTION = "text_projection.weight";

/**
 * Opens CLIP: a transformers CLIPModel's folder, such as `clip-vit-large-patch14`; else the
 * `image_encoder` of the model's own folder, and `clip/text_projection.safetensors`, which makes its
 * text encoder the other half. Headers only.
 *
 * @throws {ModelFormatError} where there is none.
 */
export async function openClipPair(
  parts: ModelParts,
  folder: string | undefined,
): Promise<ClipPair> {
  return folder === undefined ? await besideModel(parts) : await ofFolder(folder);
}

async function ofFolder(folder: string): Promise<ClipPair> {
  const path = join(folder, "config.json"), json = await readJsonObject(path);
  const weights = await openComponent(folder);
  // The configurations of the halves need not say how wide the space is that they share.
  const width = (name: string) => {
    const rows = weights.get(name)?.shape[0];
    return rows === undefined ? {} : { projectionDim: rows };
  };
  const vision = {
    config: { ...clipVisionConfig(json, path), ...width("visual_projection.weight") },
    weights,
  };
  if (!weights.get(PROJECTION)) return { vision, text: undefined };
  const config = { ...clipTextConfig(json, path), ...width(PROJECTION), projected: true };
  const isThere = await isFile(join(folder, "tokenizer.json")) ||
    await isFile(join(folder, "vocab.json"));
  const tokenizer = isThere ? await ClipTokenizer.open(folder) : await ClipTokenizer.clip();
  return { vision, text: { name: "text_encoder", config, weights, tokenizer } };
}

async function besideModel(parts: ModelParts): Promise<ClipPair> {
  const folder = folderOf(parts);
  const path = join(folder, "image_encoder", "config.json");
  if (!await isFile(path)) {
    throw new ModelFormatError(
      `Cannot compare pictures by ${parts.path}: it has no image_encoder. Give the folder of a CLIP ` +
        "model, such as clip-vit-large-patch14, as clip.",
      { path },
    );
  }
  const { variant } = parts;
  const vision = {
    config: clipVisionConfig(await readJsonObject(path), path),
    weights: await openComponent(join(folder, "image_encoder"), { variant }),
  };
  const shared = join(folder, "clip", "text_projection.safetensors");
  const [encoder] = parts.textEncoders;
  if (!await isFile(shared) || !encoder) return { vision, text: undefined };
  const config: ClipTextConfig = {
    ...encoder.config,
    projected: true,
    projectionDim: vision.config.projectionDim,
  };
  const weights = withTensors(encoder.weights, await openWeights(shared));
  return { vision, text: { ...encoder, config, weights } };
}

/** Tensors of one file with those of another that it lacks. */
function withTensors(source: TensorSource, more: TensorSource): TensorSource {
  return {
    path: source.path,
    metadata: source.metadata,
    names: () => [...source.names(), ...more.names()],
    get: (name) => source.get(name) ?? more.get(name),
  };
}
