/**
 * From what a user names to a model's parts: a folder, a single file, or a name on the Hub.
 *
 * @module
 */

import { ModelFormatError } from "../weights/model_format_error.ts";
import { openEmbedded } from "./embedded_model.ts";
import { fetchModel, type HubOptions, isHubId } from "./hub.ts";
import { type ModelParts, openFolder } from "./model_parts.ts";
import { openSingleFile } from "./single_file.ts";

/** The embedded model's name, in records too. */
export const EMBEDDED = "embedded";

/** What may be said about a model beside its name. */
export interface OpenModelOptions {
  /** Weight files of a variant, such as `fp16`, where a part of a folder has them. */
  readonly variant?: string | undefined;
  /** For a single file: a diffusers folder whose configurations and tokenizers are used. */
  readonly config?: string | undefined;
  /** For a single file: what the U-Net was trained to predict. */
  readonly prediction?: "epsilon" | "v_prediction" | "sample" | undefined;
  /** For a name on the Hub: open no socket, take what was downloaded before. */
  readonly offline?: boolean | undefined;
  /** For a name on the Hub: told how many bytes of what is missing have come. */
  readonly onDownload?: ((bytes: number, total: number) => void) | undefined;
  /** Stops a download. */
  readonly signal?: AbortSignal | undefined;
}

/** Opens `model`; the embedded one where nothing is named. @throws {ModelFormatError} */
export async function openModel(
  model: string | undefined,
  options: OpenModelOptions = {},
): Promise<ModelParts> {
  if (model === undefined || model === EMBEDDED) {
    return { ...await openEmbedded(), path: EMBEDDED };
  }
  let info: Deno.FileInfo;
  try {
    info = await Deno.stat(model);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    if (isHubId(model)) {
      return await openFolder(await fetchModel(model, hubOptions(options)), options);
    }
    throw new ModelFormatError(
      `Cannot open ${model}: there is no such folder or file. Give a diffusers folder (with ` +
        `model_index.json), a single-file checkpoint, or a name on the Hub (owner/name).`,
      { path: model, cause },
    );
  }
  return info.isDirectory ? await openFolder(model, options) : await openSingleFile(model, options);
}

function hubOptions({ variant, offline, signal, onDownload }: OpenModelOptions): HubOptions {
  return { variant, offline, signal, onProgress: onDownload };
}
