/**
 * `model_index.json` of a diffusers folder: which parts a pipeline has, and of which classes.
 *
 * @module
 */

import { join } from "node:path";
import { ModelFormatError } from "../weights/model_format_error.ts";

/** Pipeline classes whose parts this program can compose, with what they are. */
const PIPELINES: Readonly<Record<string, "sd" | "sdxl">> = {
  StableDiffusionPipeline: "sd",
  StableDiffusionImg2ImgPipeline: "sd",
  StableDiffusionInpaintPipeline: "sd",
  StableDiffusionDepth2ImgPipeline: "sd",
  StableDiffusionInstructPix2PixPipeline: "sd",
  LatentConsistencyModelPipeline: "sd",
  StableDiffusionXLPipeline: "sdxl",
  StableDiffusionXLImg2ImgPipeline: "sdxl",
  StableDiffusionXLInpaintPipeline: "sdxl",
  StableDiffusionXLInstructPix2PixPipeline: "sdxl",
  OnnxStableDiffusionPipeline: "sd",
  OnnxStableDiffusionImg2ImgPipeline: "sd",
  OnnxStableDiffusionInpaintPipeline: "sd",
  ORTStableDiffusionPipeline: "sd",
  ORTStableDiffusionImg2ImgPipeline: "sd",
  ORTStableDiffusionInpaintPipeline: "sd",
  ORTLatentConsistencyModelPipeline: "sd",
  ORTStableDiffusionXLPipeline: "sdxl",
  ORTStableDiffusionXLImg2ImgPipeline: "sdxl",
  ORTStableDiffusionXLInpaintPipeline: "sdxl",
};

/** Classes of networks that are ONNX files, of diffusers and of optimum. */
const ONNX_CLASS = /^(OnnxRuntimeModel|ORT\w+)$/;

/** Classes that each part may have. A scheduler is chosen by its own configuration. */
const PART_CLASSES: Readonly<Record<string, readonly string[]>> = {
  text_encoder: ["CLIPTextModel", "CLIPTextModelWithProjection"],
  text_encoder_2: ["CLIPTextModelWithProjection", "CLIPTextModel"],
  tokenizer: ["CLIPTokenizer", "CLIPTokenizerFast"],
  tokenizer_2: ["CLIPTokenizer", "CLIPTokenizerFast"],
  unet: ["UNet2DConditionModel"],
  vae: ["AutoencoderKL", "AutoencoderTiny"],
};

/** A checked `model_index.json`. */
export interface PipelineIndex {
  /** The pipeline's family: Stable Diffusion 1 and 2, or XL. */
  readonly family: "sd" | "sdxl";
  /** The diffusers pipeline class. */
  readonly className: string;
  /** True where an absent negative prompt means embeddings of zeros (SDXL). */
  readonly zeroEmptyNegative: boolean;
  /** True where a U-Net that edits sees the picture's latents scaled (CosXL Edit). */
  readonly scalesEdited?: boolean;
  /** True for SDXL's refiner, which has one text encoder and is told how beautiful to draw. */
  readonly isRefiner: boolean;
  /** True where its U-Net is said to be an ONNX file. */
  readonly isOnnx: boolean;
  /** Names of the parts that the folder holds: `unet`, `vae`, `text_encoder`, ... */
  readonly parts: ReadonlySet<string>;
}

/** Reads JSON from `path`. @throws {ModelFormatError} if it is missing, unreadable or no object. */
export async function readJsonObject(path: string): Promise<Record<string, unknown>> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (cause) {
    const why = cause instanceof Deno.errors.NotFound ? "there is no such file" : String(cause);
    throw new ModelFormatError(`Cannot read ${path}: ${why}.`, { path, cause });
  }
  try {
    const value: unknown = JSON.parse(text);
    if (value !== null && typeof value === "object" && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch (cause) {
    throw new ModelFormatError(`Cannot read ${path}: it is not valid JSON.`, { path, cause });
  }
  throw new ModelFormatError(`Cannot read ${path}: expected a JSON object.`, { path });
}

/** Reads and checks the `model_index.json` in `folder`. @throws {ModelFormatError} */
export async function readPipelineIndex(folder: string): Promise<PipelineIndex> {
  const path = join(folder, "model_index.json");
  const json = await readJsonObject(path);
  const className = json._class_name;
  const family = typeof className === "string" ? PIPELINES[className] : undefined;
  if (family === undefined) {
    throw new ModelFormatError(
      `Cannot open ${folder}: pipeline class ${JSON.stringify(className)} is not known. ` +
        `Known are ${Object.keys(PIPELINES).join(", ")}.`,
      { path, key: "_class_name" },
    );
  }
  const parts = new Set<string>();
  for (const [part, value] of Object.entries(json)) {
    if (part.startsWith("_") || !Array.isArray(value) || typeof value[1] !== "string") continue;
    const allowed = PART_CLASSES[part];
    if (allowed && !allowed.includes(value[1]) && !ONNX_CLASS.test(value[1])) {
      throw new ModelFormatError(
        `Cannot open ${folder}: ${part} has class ${value[1]}; expected ${allowed.join(" or ")}.`,
        { path, key: part },
      );
    }
    parts.add(part);
  }
  const isRefiner = family === "sdxl" && json.requires_aesthetics_score === true;
  const needed = ["unet", parts.has("vae_decoder") ? "vae_decoder" : "vae", "scheduler"];
  if (!isRefiner) needed.push("text_encoder", "tokenizer");
  if (family === "sdxl") needed.push("text_encoder_2", "tokenizer_2");
  const missing = needed.filter((part) => !parts.has(part));
  if (missing.length > 0) {
    throw new ModelFormatError(
      `Cannot open ${folder}: model_index.json names no ${missing.join(", ")}.`,
      { path, key: missing[0]! },
    );
  }
  return {
    family,
    className: className as string,
    zeroEmptyNegative: json.force_zeros_for_empty_prompt === true,
    scalesEdited: json.is_cosxl_edit === true,
    isRefiner,
    isOnnx: Array.isArray(json.unet) && ONNX_CLASS.test(String(json.unet[1])),
    parts,
  };
}
