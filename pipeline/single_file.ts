/**
 * A single-file checkpoint, opened as the parts of a diffusers folder. Nothing is converted: the
 * parts are other names for byte ranges of the file.
 *
 * @module
 */

import { join } from "node:path";
import { type Checkpoint, isCheckpoint, openCheckpoint } from "../models/checkpoint.ts";
import { checkpointConfigs, type PredictionType } from "../models/checkpoint_configs.ts";
import { clipTextConfig } from "../models/clip_config.ts";
import { seemsToBe } from "../models/known_families.ts";
import { unetConfig } from "../models/unet_config.ts";
import { ModelFormatError } from "../weights/model_format_error.ts";
import { openWeights } from "../weights/open_weights.ts";
import type { TensorSource } from "../weights/stored_tensor.ts";
import type { ModelParts, OpenOtherVae, TextEncoderParts } from "./model_parts.ts";
import { autoencoderConfig } from "./open_vae.ts";
import { readJsonObject } from "./pipeline_index.ts";
import { ClipTokenizer } from "./tokenizer.ts";

/** What a single file cannot say of itself. */
export interface SingleFileOptions {
  /** A diffusers folder whose configurations and tokenizers are used in place of the known ones. */
  readonly config?: string | undefined;
  /** What the U-Net was trained to predict. */
  readonly prediction?: PredictionType | undefined;
  readonly otherVae?: OpenOtherVae | undefined;
}

/** A part's configuration: from `config`'s folder, or as the family's own. */
type Configure = (part: string, known: Readonly<Record<string, unknown>> | undefined) => Promise<{
  readonly json: Record<string, unknown>;
  readonly path: string;
}>;

/** Opens a single file of Stable Diffusion 1.x, 2.x or XL. @throws {ModelFormatError} */
export async function openSingleFile(
  path: string,
  options: SingleFileOptions = {},
): Promise<ModelParts> {
  const source = await openWeights(path);
  if (!isCheckpoint(source)) throw notCheckpoint(source);
  const checkpoint = await openCheckpoint(source);
  const known = checkpointConfigs(checkpoint, {
    ...(options.prediction && { prediction: options.prediction }),
  });
  const configure: Configure = async (part, json) => {
    if (options.config !== undefined) {
      const name = part === "scheduler" ? "scheduler_config.json" : "config.json";
      const file = join(options.config, part, name);
      return { json: await readJsonObject(file), path: file };
    }
    if (json === undefined) throw missing(path, part);
    return { json: { ...json }, path: `${path} (${part})` };
  };
  const required = (part: string, weights: TensorSource | undefined): TensorSource => {
    if (weights === undefined) throw missing(path, part);
    return weights;
  };
  const family = checkpoint.family === "sdxl" ? "sdxl" : "sd";
  const ownVae = async () => {
    const { json, path } = await configure("vae", known.vae);
    return { config: autoencoderConfig(json, path), weights: required("vae", checkpoint.vae) };
  };
  const [unet, vae, scheduler] = await Promise.all([
    configure("unet", known.unet),
    options.otherVae?.(family) ?? ownVae(),
    configure("scheduler", known.scheduler),
  ]);
  return {
    path,
    index: {
      family,
      className: "StableDiffusionPipeline",
      isRefiner: checkpoint.isRefiner,
      isOnnx: false,
      zeroEmptyNegative: family === "sdxl" && !checkpoint.isRefiner,
      parts: new Set(["unet", "vae", "text_encoder", "tokenizer", "scheduler"]),
    },
    textEncoders: await textEncoders(checkpoint, known, configure, required, options),
    unet: { config: unetConfig(unet.json, unet.path), weights: checkpoint.unet },
    vae,
    schedulerConfig: scheduler.json,
  };
}

/** One text encoder, or SDXL's two; "!" pads for the OpenCLIP ones. */
async function textEncoders(
  { family, isRefiner, textEncoder, textEncoder2 }: Checkpoint,
  known: ReturnType<typeof checkpointConfigs>,
  configure: Configure,
  required: (part: string, weights: TensorSource | undefined) => TensorSource,
  { config: folder }: SingleFileOptions,
): Promise<TextEncoderParts[]> {
  const one = async (
    suffix: "" | "_2",
    weights: TensorSource | undefined,
    json: Readonly<Record<string, unknown>> | undefined,
    pad: "<|endoftext|>" | "!",
  ): Promise<TextEncoderParts> => {
    const part = `text_encoder${suffix}` as const;
    const config = await configure(part, json);
    const tokenizer = folder === undefined
      ? await ClipTokenizer.clip(pad)
      : await ClipTokenizer.open(join(folder, `tokenizer${suffix}`));
    const checked = clipTextConfig(config.json, config.path);
    return { name: part, config: checked, weights: required(part, weights), tokenizer };
  };
  const pad = family === "sd2" ? "!" : "<|endoftext|>";
  const first = () => one("", textEncoder, known.textEncoder, pad);
  const second = () => one("_2", textEncoder2, known.textEncoder2, "!");
  if (isRefiner) return [await second()];
  return await Promise.all(family === "sdxl" ? [first(), second()] : [first()]);
}

function missing(path: string, part: string): ModelFormatError {
  return new ModelFormatError(
    `Cannot open ${path}: the file holds no ${part}. ` +
      (part === "vae" ? "Give one with --vae FILE." : "Give the complete checkpoint."),
    { path, key: part },
  );
}

/** What it is instead, as far as its names tell. */
function notCheckpoint(source: TensorSource): ModelFormatError {
  const names = [...source.names()];
  const seems = seemsToBe(names) ??
    `its tensors are named ${names.slice(0, 3).join(", ") || "nothing"}`;
  return new ModelFormatError(
    `Cannot open ${source.path} as a Stable Diffusion checkpoint: ${seems}.`,
    { path: source.path },
  );
}
