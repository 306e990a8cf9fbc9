/**
 * Writes a full-size Stable Diffusion folder with random weights, to measure loading, memory and
 * speed where the real ones cannot be downloaded. Its pictures are noise.
 *
 *     deno run -A bench/make_sd15.ts FOLDER [--family sd15|sd21|sdxl] [--dtype fp32|fp16]
 *
 * fp32 takes 4.3, 5.2 or 13.9 GB of disk; fp16 half of it, under the names of the variant "fp16".
 *
 * @module
 */

import { join } from "node:path";
import { parseArgs } from "node:util";
import { clipMerges, clipVocabulary } from "../pipeline/clip_vocabulary.ts";
import { type GeneratedTensor, writeSafetensors } from "../weights/safetensors_write.ts";
import { randomTensors } from "./random_weights.ts";
import { FAMILIES, type Family, type TextEncoderFamily } from "./sd_families.ts";
import { clipShapes, type NamedShape, unetShapes, vaeShapes } from "./sd_shapes.ts";

const USAGE = "Usage: make_sd15.ts FOLDER [--family sd15|sd21|sdxl] [--dtype fp32|fp16]";

/** Writes one file of weights. */
export type WriteWeights = (
  path: string,
  tensors: readonly GeneratedTensor[],
  options: { readonly metadata: Readonly<Record<string, string>> },
) => Promise<void>;

/** Writes the folder; `dtype` fp16 writes the files of the variant of that name. */
export async function makePipelineFolder(
  folder: string,
  family: Family,
  dtype: "fp32" | "fp16",
  write: WriteWeights = writeSafetensors,
): Promise<void> {
  const dot = dtype === "fp16" ? ".fp16" : "";
  const weights = async (part: string, stem: string, shapes: Iterable<NamedShape>) => {
    const path = join(folder, part, `${stem}${dot}.safetensors`);
    const tensors = randomTensors(shapes, dtype === "fp16" ? "F16" : "F32");
    await write(path, tensors, { metadata: { format: "pt" } });
    const { size } = await Deno.stat(path);
    console.error(`${path}: ${tensors.length} tensors, ${(size / 1e9).toFixed(2)} GB`);
  };
  await writeJson(join(folder, "model_index.json"), modelIndex(family));
  await writeJson(join(folder, "scheduler", "scheduler_config.json"), family.scheduler);
  await writeJson(join(folder, "unet", "config.json"), family.unet);
  await writeJson(join(folder, "vae", "config.json"), family.vae);
  for (const [i, encoder] of family.textEncoders.entries()) {
    const suffix = i === 0 ? "" : `_${i + 1}`;
    await writeJson(join(folder, `text_encoder${suffix}`, "config.json"), encoder.config);
    await writeTokenizer(join(folder, `tokenizer${suffix}`), encoder);
    await weights(`text_encoder${suffix}`, "model", clipShapes(encoder.config, encoder));
  }
  await weights("vae", "diffusion_pytorch_model", vaeShapes(family.vae));
  await weights("unet", "diffusion_pytorch_model", unetShapes(family.unet));
}

function modelIndex({ pipeline, scheduler, textEncoders }: Family): Record<string, unknown> {
  const encoders = textEncoders.flatMap(({ projection }, i) => {
    const suffix = i === 0 ? "" : `_${i + 1}`;
    const model = projection ? "CLIPTextModelWithProjection" : "CLIPTextModel";
    return [
      [`text_encoder${suffix}`, ["transformers", model]],
      [`tokenizer${suffix}`, ["transformers", "CLIPTokenizer"]],
    ];
  });
  const xl = textEncoders.length > 1;
  return {
    _class_name: pipeline,
    _diffusers_version: "0.42.1",
    ...(xl ? { force_zeros_for_empty_prompt: true } : {
      feature_extractor: [null, null],
      safety_checker: [null, null],
      requires_safety_checker: false,
    }),
    scheduler: ["diffusers", scheduler._class_name],
    ...Object.fromEntries(encoders),
    unet: ["diffusers", "UNet2DConditionModel"],
    vae: ["diffusers", "AutoencoderKL"],
  };
}

async function writeTokenizer(folder: string, { pad }: TextEncoderFamily): Promise<void> {
  const merges = await clipMerges();
  const token = (content: string) => ({
    content,
    lstrip: false,
    normalized: true,
    rstrip: false,
    single_word: false,
  });
  const special = {
    bos_token: token("<|startoftext|>"),
    eos_token: token("<|endoftext|>"),
    unk_token: token("<|endoftext|>"),
    pad_token: pad,
  };
  await writeJson(join(folder, "vocab.json"), clipVocabulary(merges));
  const lines = merges.map((pair) => pair.join(" ")).join("\n");
  await Deno.writeTextFile(join(folder, "merges.txt"), `#version: 0.2\n${lines}\n`);
  await writeJson(join(folder, "special_tokens_map.json"), special);
  await writeJson(join(folder, "tokenizer_config.json"), {
    tokenizer_class: "CLIPTokenizer",
    model_max_length: 77,
    do_lower_case: true,
    add_prefix_space: false,
    pad_token: pad,
  });
}

async function writeJson(path: string, value: unknown): Promise<void> {
  await Deno.mkdir(join(path, ".."), { recursive: true });
  await Deno.writeTextFile(path, JSON.stringify(value, null, 2) + "\n");
}

async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      family: { type: "string", default: "sd15" },
      dtype: { type: "string", default: "fp32" },
    },
  });
  const [folder] = positionals, { family, dtype } = values;
  const known = Object.hasOwn(FAMILIES, family) && (dtype === "fp32" || dtype === "fp16");
  if (folder === undefined || positionals.length > 1 || !known) {
    console.error(USAGE);
    return 2;
  }
  await makePipelineFolder(folder, FAMILIES[family as keyof typeof FAMILIES], dtype);
  return 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
