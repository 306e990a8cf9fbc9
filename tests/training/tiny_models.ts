/** Models of the families' shapes, with few channels and random weights: trained in milliseconds. */
import { join } from "node:path";
import { FAMILIES, type Family } from "../../bench/sd_families.ts";
import { makePipelineFolder } from "../../bench/make_sd15.ts";
import { openSafetensors } from "../../weights/safetensors.ts";
import { writeSafetensors } from "../../weights/safetensors_write.ts";

const WIDTH = 32;

function tiny(family: Family): Family {
  const xl = family.textEncoders.length > 1;
  const encoder = {
    hidden_size: WIDTH,
    intermediate_size: WIDTH,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    projection_dim: WIDTH,
  };
  const unet = {
    ...family.unet,
    sample_size: 8,
    block_out_channels: [32, 64],
    down_block_types: ["DownBlock2D", "CrossAttnDownBlock2D"],
    up_block_types: ["CrossAttnUpBlock2D", "UpBlock2D"],
    transformer_layers_per_block: [1, 1],
    layers_per_block: 1,
    attention_head_dim: [2, 4],
    cross_attention_dim: xl ? 2 * WIDTH : WIDTH,
    ...(xl && {
      addition_time_embed_dim: 8,
      projection_class_embeddings_input_dim: WIDTH + 6 * 8,
    }),
  };
  const vae = {
    ...family.vae,
    sample_size: 16,
    block_out_channels: [32, 32],
    down_block_types: ["DownEncoderBlock2D", "DownEncoderBlock2D"],
    up_block_types: ["UpDecoderBlock2D", "UpDecoderBlock2D"],
    layers_per_block: 1,
  };
  const textEncoders = family.textEncoders.map((one) => ({
    ...one,
    config: { ...one.config, ...encoder },
  }));
  return { ...family, unet, vae, textEncoders };
}

/** Writes `sd15/` and `sdxl/` below `folder`, their weights in `precision`; returns their paths. */
export async function tinyModels(
  folder: string,
  precision: "fp32" | "fp16" = "fp32",
): Promise<{ sd: string; xl: string }> {
  const paths = { sd: join(folder, "sd15"), xl: join(folder, "sdxl") };
  const say = console.error;
  console.error = () => {}; // The program that this is a part of tells what it writes.
  try {
    await makePipelineFolder(paths.sd, tiny(FAMILIES.sd15), precision);
    await makePipelineFolder(paths.xl, tiny(FAMILIES.sdxl), precision);
  } finally {
    console.error = say;
  }
  return paths;
}

/** All tensors of some files as one file, under other names. */
export async function joined(
  path: string,
  files: readonly (readonly [file: string, rename: (name: string) => string])[],
): Promise<void> {
  const tensors = [];
  for (const [file, rename] of files) {
    const source = await openSafetensors(file);
    for (const name of source.names()) tensors.push({ ...source.get(name)!, name: rename(name) });
  }
  await writeSafetensors(path, tensors, { metadata: { format: "pt" } });
}
