/**
 * From what a user names to a model's parts: a folder, a single file, or a name on the Hub.
 *
 * @module
 */

import { ModelFormatError } from "../weights/model_format_error.ts";
import { openEmbedded } from "./embedded_model.ts";
import { fetchModel, type HubOptions, isHubId } from "./hub.ts";
import { type ModelParts, openFolder, type OpenOtherVae } from "./model_parts.ts";
import { openVae } from "./open_vae.ts";
import { openSingleFile } from "./single_file.ts";

/** The embedded model's name, in records too. */
export const EMBEDDED = "embedded";

/** What may be said about a model beside its name. */
export interface OpenModelOptions {
  /** Weight files of a variant, such as `fp16`, where a part of a folder has them. */
  readonly variant?: string | undefined;
  /** An autoencoder in place of the model's own: a folder, a file, or a name on the Hub. */
  readonly vae?: string | undefined;
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
  const parts = await openParts(model, { ...options, otherVae: otherVae(options) });
  if (options.vae !== undefined) requireFit(parts, options.vae);
  return parts;
}

async function openParts(
  model: string | undefined,
  options: OpenModelOptions & { readonly otherVae: OpenOtherVae | undefined },
): Promise<ModelParts> {
  if (model === undefined || model === EMBEDDED) {
    return { ...await openEmbedded(options), path: EMBEDDED };
  }
  let info: Deno.FileInfo;
  try {
    info = await Deno.stat(model);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotCapable) throw cause;
    if (!(cause instanceof Deno.errors.NotFound)) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new ModelFormatError(`Cannot open ${model}: ${why}.`, { path: model, cause });
    }
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

/** The autoencoder of previews: another one where that is asked for. @throws {ModelFormatError} */
export async function openPreview(
  parts: ModelParts,
  { previewVae, ...options }: OpenModelOptions & { readonly previewVae?: string | undefined },
): Promise<Pick<ModelParts, "vae">> {
  const open = otherVae({ ...options, vae: previewVae });
  if (!open) return parts;
  const vae = await open(parts.index.family);
  requireFit({ ...parts, vae }, previewVae!);
  return { vae };
}

/** Opens the autoencoder that is asked for; undefined where it is the model's own. */
function otherVae(options: OpenModelOptions): OpenOtherVae | undefined {
  const { vae } = options;
  // The variant is the model's: most autoencoders by themselves have none.
  const hub = { ...hubOptions(options), variant: undefined };
  return vae === undefined ? undefined : (family) => openVae(vae, { ...hub, family });
}

/** Latents of other channels would be no latents. @throws {ModelFormatError} */
function requireFit({ unet, vae }: ModelParts, path: string): void {
  const { latentChannels } = vae.config, { outChannels } = unet.config;
  if (latentChannels === outChannels) return;
  throw new ModelFormatError(
    `Cannot use the autoencoder ${path}: its latents have ${latentChannels} channels, the model's ` +
      `${outChannels}. Take one for this family.`,
    { path, key: "latent_channels" },
  );
}

function hubOptions({ variant, offline, signal, onDownload }: OpenModelOptions): HubOptions {
  return { variant, offline, signal, onProgress: onDownload };
}
