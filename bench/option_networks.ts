/**
 * Networks to put beside any model, with weights that mean nothing: a LoRA, a ControlNet, a
 * T2I-Adapter and an IP-Adapter of the sizes that a model's U-Net asks for.
 *
 * @module
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { crossAttentionOrder } from "../models/ip_adapter_config.ts";
import type { TextEncoderParts } from "../pipeline/model_parts.ts";
import { openModel } from "../pipeline/open_model.ts";
import { flatName } from "../weights/lora_names.ts";
import { writeSafetensors } from "../weights/safetensors_write.ts";
import { randomTensors } from "./random_weights.ts";
import type { NamedShape } from "./sd_shapes.ts";

/** Rows of the LoRA's first matrices, the usual choice of those who train them. */
const RANK = 16;
/** Tokens of a pooled IP-Adapter, and the width of the embedded model's image encoder. */
const TOKENS = 4, EMBED = 64;

/** Where they are. */
export interface OptionNetworks {
  readonly lora: string;
  readonly controlNet: string;
  readonly t2iAdapter: string;
  readonly ipAdapter: string;
  readonly imageEncoder: string;
  /** A CLIP model of the usual size, unless the model is the embedded one, which has its own. */
  readonly clip: string | undefined;
}

/** Writes all of them for `model` into `folder`. */
export async function writeOptionNetworks(
  model: string | undefined,
  folder: string,
): Promise<OptionNetworks> {
  const { unet: { config, weights }, vae, textEncoders: [encoder] } = await openModel(model);
  const widths = [16, 32, 96, 256].slice(0, 1 + Math.log2(vae.config.factor));
  const shapes = [...weights.names()].map((name): NamedShape => [name, weights.get(name)!.shape]);
  const channels = config.downBlocks.map((block) => block.channels);
  const write = async (name: string, tensors: readonly NamedShape[]) => {
    const path = join(folder, name);
    await Deno.mkdir(join(path, ".."), { recursive: true });
    await writeSafetensors(path, randomTensors(tensors, "F32"));
    return path;
  };
  const attention = shapes.filter(([name]) => /attn[12]\.to_(q|k|v|out\.0)\.weight$/.test(name));
  const shape = new Map(shapes), crossDim = config.downBlocks.at(-1)!.crossAttentionDim;
  await write("controlnet/diffusion_pytorch_model.safetensors", [
    ...shapes.filter(([name]) => /^(time_|add_|conv_in|down_blocks|mid_block)/.test(name)),
    ...controlShapes(widths, channels, config.downBlocks.map(({ layers }) => layers)),
  ]);
  const json = JSON.parse(await Deno.readTextFile(config.path));
  const text = JSON.stringify({
    ...json,
    _class_name: "ControlNetModel",
    conditioning_embedding_out_channels: widths,
  });
  await Deno.writeTextFile(join(folder, "controlnet/config.json"), text);
  return {
    lora: await write(
      "lora.safetensors",
      attention.flatMap(([name, [out, inner]]) => {
        const key = `lora_unet_${flatName(name.replace(/\.weight$/, ""))}`;
        return [
          [`${key}.lora_down.weight`, [RANK, inner!]],
          [`${key}.lora_up.weight`, [out!, RANK]],
        ] as NamedShape[];
      }),
    ),
    controlNet: join(folder, "controlnet"),
    t2iAdapter: await write("t2i.safetensors", t2iShapes(channels)),
    ipAdapter: await write("ip.safetensors", [
      ["image_proj.proj.weight", [TOKENS * crossDim, EMBED]],
      ["image_proj.proj.bias", [TOKENS * crossDim]],
      ["image_proj.norm.weight", [crossDim]],
      ["image_proj.norm.bias", [crossDim]],
      ...crossAttentionOrder(config).flatMap((block, i) =>
        (["k", "v"] as const).map((which): NamedShape => [
          `ip_adapter.${2 * i + 1}.to_${which}_ip.weight`,
          shape.get(`${block}.attn2.to_${which}.weight`)!,
        ])
      ),
    ]),
    imageEncoder: await copyEncoder(join(folder, "image_encoder")),
    clip: model === undefined ? undefined : await writeClip(encoder!, join(folder, "clip"), write),
  };
}

/** The embedded model's image encoder, under the usual name. */
async function copyEncoder(folder: string): Promise<string> {
  const from = fileURLToPath(new URL("../assets/digits/image_encoder/", import.meta.url));
  await Deno.mkdir(folder);
  await Deno.copyFile(join(from, "config.json"), join(folder, "config.json"));
  await Deno.copyFile(join(from, "model.fp16.safetensors"), join(folder, "model.safetensors"));
  return folder;
}

/** CLIP ViT-L/14: the model's text encoder, and an image encoder of 300 million numbers. */
async function writeClip(
  { config, weights }: TextEncoderParts,
  folder: string,
  write: (name: string, tensors: readonly NamedShape[]) => Promise<string>,
): Promise<string> {
  const width = 1024, wide = 4096, layers = 24, patch = 14, side = 224, shared = 768;
  const shapes: NamedShape[] = [...weights.names()]
    .map((name): NamedShape => [name, weights.get(name)!.shape]);
  const linear = (name: string, out: number, inner: number) =>
    shapes.push([`${name}.weight`, [out, inner]], [`${name}.bias`, [out]]);
  const norm = (name: string) =>
    shapes.push([`${name}.weight`, [width]], [`${name}.bias`, [width]]);
  const embeddings = "vision_model.embeddings";
  shapes.push([`${embeddings}.class_embedding`, [width]]);
  shapes.push([`${embeddings}.patch_embedding.weight`, [width, 3, patch, patch]]);
  shapes.push([`${embeddings}.position_embedding.weight`, [1 + (side / patch) ** 2, width]]);
  norm("vision_model.pre_layrnorm");
  norm("vision_model.post_layernorm");
  for (let i = 0; i < layers; i++) {
    const layer = `vision_model.encoder.layers.${i}`;
    for (const which of ["q", "k", "v", "out"]) {
      linear(`${layer}.self_attn.${which}_proj`, width, width);
    }
    linear(`${layer}.mlp.fc1`, wide, width);
    linear(`${layer}.mlp.fc2`, width, wide);
    norm(`${layer}.layer_norm1`);
    norm(`${layer}.layer_norm2`);
  }
  shapes.push(["visual_projection.weight", [shared, width]]);
  shapes.push(["text_projection.weight", [shared, config.hiddenSize]]);
  await write("clip/model.safetensors", shapes);
  const vision_config = {
    ...{ hidden_size: width, intermediate_size: wide, num_hidden_layers: layers },
    ...{ num_attention_heads: 16, image_size: side, patch_size: patch, projection_dim: shared },
  };
  const text_config = JSON.parse(await Deno.readTextFile(config.path));
  const json = JSON.stringify({ architectures: ["CLIPModel"], text_config, vision_config });
  await Deno.writeTextFile(join(folder, "config.json"), json);
  return folder;
}

/** What a ControlNet has beside its half of the U-Net. */
function controlShapes(
  widths: readonly number[],
  channels: readonly number[],
  layers: readonly number[],
): NamedShape[] {
  const shapes: NamedShape[] = [];
  const conv = (name: string, out: number, inner: number, kernel = 3) =>
    shapes.push([`${name}.weight`, [out, inner, kernel, kernel]], [`${name}.bias`, [out]]);
  const hint = "controlnet_cond_embedding";
  conv(`${hint}.conv_in`, widths[0]!, 3);
  widths.slice(1).forEach((width, i) => {
    conv(`${hint}.blocks.${2 * i}`, widths[i]!, widths[i]!);
    conv(`${hint}.blocks.${2 * i + 1}`, width, widths[i]!);
  });
  conv(`${hint}.conv_out`, channels[0]!, widths.at(-1)!);
  // The first convolution's result, then those of each block and of its halving.
  const skips = [channels[0]!];
  channels.forEach((width, i) => {
    const last = i === channels.length - 1;
    skips.push(...Array<number>(layers[i]! + (last ? 0 : 1)).fill(width));
  });
  skips.forEach((width, i) => conv(`controlnet_down_blocks.${i}`, width, width, 1));
  conv("controlnet_mid_block", channels.at(-1)!, channels.at(-1)!, 1);
  return shapes;
}

/** A full adapter as TencentARC writes it. */
function t2iShapes(channels: readonly number[]): NamedShape[] {
  const shapes: NamedShape[] = [];
  const conv = (name: string, out: number, inner: number, kernel: number) =>
    shapes.push([`${name}.weight`, [out, inner, kernel, kernel]], [`${name}.bias`, [out]]);
  conv("conv_in", channels[0]!, 192, 3);
  channels.forEach((width, i) => {
    const before = channels[i - 1] ?? width;
    if (before !== width) conv(`body.${2 * i}.in_conv`, width, before, 1);
    for (const k of [2 * i, 2 * i + 1]) {
      conv(`body.${k}.block1`, width, width, 3);
      conv(`body.${k}.block2`, width, width, 1);
    }
  });
  return shapes;
}
