/**
 * What makes exported networks a model's folder again: configurations, tokenizers, the scheduler.
 *
 * @module
 */

import { basename, join } from "node:path";
import { exists } from "./existing.ts";
import { writeWhole } from "./image_save.ts";
import { folderOf, type ModelParts } from "./model_parts.ts";
import { readJsonObject } from "./pipeline_index.ts";

/** Exported parts, by where the model keeps their configuration. */
const PARTS: Readonly<Record<string, readonly string[]>> = {
  unet: ["unet"],
  vae: ["vae_decoder", "vae_encoder"],
  text_encoder: ["text_encoder"],
  text_encoder_2: ["text_encoder_2"],
};

/**
 * Copies what is no weight from the model's folder into `folder`, which then opens as a model of
 * ONNX files; the size of its pictures is written down. False where the model is one file, which has
 * no configurations to copy.
 */
export async function completeFolder(
  parts: ModelParts,
  folder: string,
  { width, height }: { readonly width: number; readonly height: number },
): Promise<boolean> {
  const from = folderOf(parts);
  const path = join(from, "model_index.json");
  if (!await exists(path)) return false;
  const { vae: _, ...index } = await readJsonObject(path);
  const network = ["diffusers", "OnnxRuntimeModel"];
  for (const [own, exported] of Object.entries(PARTS)) {
    const config = join(from, own, "config.json");
    if (!await exists(config)) continue;
    const side = own === "unet" && width === height
      ? { sample_size: width / parts.vae.config.factor }
      : {};
    for (const part of exported) {
      index[part] = network;
      await writeJson(join(folder, part, "config.json"), {
        ...await readJsonObject(config),
        ...side,
      });
    }
  }
  for (const part of ["tokenizer", "tokenizer_2", "scheduler"]) {
    await copyFiles(join(from, part), join(folder, part));
  }
  await writeJson(join(folder, basename(path)), index);
  return true;
}

async function copyFiles(from: string, to: string): Promise<void> {
  if (!await exists(from)) return;
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (!isDirectory) await writeWhole(join(to, name), await Deno.readFile(join(from, name)));
  }
}

async function writeJson(path: string, value: unknown): Promise<void> {
  await writeWhole(path, new TextEncoder().encode(JSON.stringify(value, null, 2) + "\n"));
}
