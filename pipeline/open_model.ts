/**
 * From what a user names to a model's parts: a diffusers folder or a single file.
 *
 * @module
 */

import type { PredictionType } from "../models/checkpoint_configs.ts";
import { ModelFormatError } from "../weights/model_format_error.ts";
import { openEmbedded } from "./embedded_model.ts";
import { type ModelParts, openFolder } from "./model_parts.ts";
import { openSingleFile } from "./single_file.ts";

/** What may be said about a model beside its name. */
export interface ModelOptions {
  /** Weight files of a variant, such as `fp16`, where a part of a folder has them. */
  readonly variant?: string | undefined;
  /** For a single file: a diffusers folder whose configurations and tokenizers are used. */
  readonly config?: string | undefined;
  /** For a single file: what the U-Net was trained to predict. */
  readonly prediction?: PredictionType | undefined;
}

/** Opens `model`; the embedded one where nothing is named. @throws {ModelFormatError} */
export async function openModel(
  model: string | undefined,
  options: ModelOptions = {},
): Promise<ModelParts> {
  if (model === undefined) return await openEmbedded();
  let info: Deno.FileInfo;
  try {
    info = await Deno.stat(model);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new ModelFormatError(
      `Cannot open ${model}: there is no such folder or file. Give a diffusers folder (with ` +
        `model_index.json) or a single-file checkpoint.`,
      { path: model, cause },
    );
  }
  return info.isDirectory ? await openFolder(model, options) : await openSingleFile(model, options);
}
