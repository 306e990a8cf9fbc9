/**
 * Model folders whose networks are ONNX files: optimum's layout, and that of diffusers' own
 * OnnxStableDiffusionPipeline, which has no configurations. Nothing is loaded when they are opened.
 *
 * @module
 */

import { join } from "node:path";
import { clipTextConfig } from "../models/clip_config.ts";
import { unetConfig } from "../models/unet_config.ts";
import { ModelFormatError } from "../weights/model_format_error.ts";
import type { TensorSource } from "../weights/stored_tensor.ts";
import { isFile } from "./existing.ts";
import type { FolderOptions, ModelParts, Network, TextEncoderParts } from "./model_parts.ts";
import { autoencoderConfig } from "./open_vae.ts";
import { type PipelineIndex, readJsonObject } from "./pipeline_index.ts";
import { ClipTokenizer } from "./tokenizer.ts";

/** Whether a model's folder holds ONNX files, and no weights to build networks from. */
export async function isOnnxFolder(folder: string): Promise<boolean> {
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(join(folder, "unet"))) names.push(name);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return names.includes("model.onnx") && !names.some((name) => /\.(safetensors|bin)$/.test(name));
}

/** Opens such a folder. @throws {ModelFormatError} that names the file at fault. */
export async function openOnnxFolder(
  path: string,
  index: PipelineIndex,
  options: FolderOptions,
): Promise<ModelParts> {
  const weights = fixed(path);
  const read = async <C>(
    part: string,
    check: (json: Record<string, unknown>, path: string) => C,
    known: Record<string, unknown>,
  ): Promise<C> => {
    const config = join(path, part, "config.json");
    return check(await isFile(config) ? await readJsonObject(config) : known, config);
  };
  const textEncoder = async (suffix: "" | "_2"): Promise<TextEncoderParts> => {
    const name = `text_encoder${suffix}` as const;
    const tokenizer = await ClipTokenizer.open(join(path, `tokenizer${suffix}`));
    const config = await read(name, clipTextConfig, {});
    return { name, tokenizer, config, weights, onnx: { model: await file(path, name) } };
  };
  const vae = async (): Promise<ModelParts["vae"]> => ({
    config: await read("vae_decoder", autoencoderConfig, OLD_VAE),
    weights,
    onnx: {
      decoder: await file(path, "vae_decoder"),
      encoder: join(path, "vae_encoder", "model.onnx"),
    },
  });
  const unet: ModelParts["unet"] = {
    config: await read("unet", unetConfig, oldUnet(index)),
    weights,
    onnx: { model: await file(path, "unet") },
  };
  const suffixes = index.family === "sd" ? [""] as const : ["", "_2"] as const;
  return {
    path,
    index,
    textEncoders: await Promise.all(
      suffixes.filter((suffix) => suffix || !index.isRefiner).map(textEncoder),
    ),
    unet,
    vae: await (options.otherVae?.(index.family) ?? vae()),
    schedulerConfig: await readJsonObject(join(path, "scheduler", "scheduler_config.json")),
  };
}

/** What the old folders do not say: all were made of Stable Diffusion 1 or 2. */
const OLD_VAE = {
  block_out_channels: [128, 256, 512, 512],
  down_block_types: new Array<string>(4).fill("DownEncoderBlock2D"),
  up_block_types: new Array<string>(4).fill("UpDecoderBlock2D"),
  sample_size: 512,
};

function oldUnet({ className }: PipelineIndex): Record<string, unknown> {
  return { sample_size: 64, in_channels: /Inpaint(?!PipelineLegacy)/.test(className) ? 9 : 4 };
}

/** Weights that cannot be read: the networks are as they are. */
function fixed(path: string): TensorSource {
  return {
    path,
    metadata: {},
    names: () => [],
    get: () => {
      throw fixedError(path, "read the weights of");
    },
  };
}

function fixedError(path: string, what: string): ModelFormatError {
  return new ModelFormatError(
    `Cannot ${what} ${path}: its networks are ONNX files, which stay as they are. Take the model ` +
      "that they were made of.",
    { path },
  );
}

/**
 * Whether networks can be built of a model's weights, which `what` needs: "merge a LoRA into".
 *
 * @throws {ModelFormatError} where they are ONNX files.
 */
export function requireWeights({ path, unet }: Pick<ModelParts, "path" | "unet">, what: string) {
  if (unet.onnx) throw fixedError(path, what);
}

async function file(folder: string, part: string): Promise<string> {
  const path = join(folder, part, "model.onnx");
  if (await isFile(path)) return path;
  throw new ModelFormatError(`Cannot open ${folder}: there is no ${part}/model.onnx.`, { path });
}

/** The files of a network's ONNX parts, with what lies beside them. */
export async function onnxFiles({ onnx = {} }: Network<unknown>): Promise<string[]> {
  const files: string[] = [];
  for (const path of Object.values(onnx)) {
    const folder = join(path, "..");
    if (!await isFile(path)) continue;
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      if (!isDirectory && name !== "config.json") files.push(join(folder, name));
    }
  }
  return files.sort();
}
