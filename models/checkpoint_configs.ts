/**
 * The `config.json` of each network of a single-file checkpoint, which has none: sizes are read off
 * the shapes, the rest is what the family's diffusers folders say. So distilled and extended models
 * (fewer layers, more channels) open without being known.
 */
import type { TensorSource } from "../weights/stored_tensor.ts";
import type { Checkpoint, CheckpointFamily } from "./checkpoint.ts";
import type { ConfigJson } from "./config_reader.ts";

/** Configurations in the form of a diffusers folder's files; undefined for absent networks. */
export interface CheckpointConfigs {
  readonly unet: ConfigJson;
  readonly vae: ConfigJson | undefined;
  readonly textEncoder: ConfigJson | undefined;
  readonly textEncoder2: ConfigJson | undefined;
  readonly scheduler: ConfigJson;
}

/** What a model was trained to predict. */
export type PredictionType = "epsilon" | "v_prediction" | "sample";

/**
 * Configurations for a checkpoint. `prediction` overrides what the file or the family says: nothing
 * in a file tells SD 2.1 (v, assumed) from 2.1-base (epsilon).
 */
export function checkpointConfigs(
  checkpoint: Checkpoint,
  options: { readonly prediction?: PredictionType } = {},
): CheckpointConfigs {
  const { family, unet, vae, textEncoder, textEncoder2 } = checkpoint;
  const assumed = family === "sd2" ? "v_prediction" : "epsilon";
  const prediction = options.prediction ?? checkpoint.prediction ?? assumed;
  return {
    unet: unetJson(unet, family),
    vae: vae && vaeJson(vae, family),
    textEncoder: textEncoder && textJson(textEncoder, family === "sd2" ? "gelu" : "quick_gelu"),
    textEncoder2: textEncoder2 && textJson(textEncoder2, "gelu"),
    scheduler: schedulerJson(family, prediction),
  };
}

/** Side of the training pictures in pixels. */
const TRAINED_SIZE: Readonly<Record<CheckpointFamily, number>> = { sd1: 512, sd2: 768, sdxl: 1024 };

/** Heads of SD 1's attention, whatever the width; later ones are 64 wide. */
const SD1_HEADS = 8;
const HEAD_WIDTH = 64;

function unetJson(source: TensorSource, family: CheckpointFamily): ConfigJson {
  const look = new Shapes(source);
  const down = look.children("down_blocks").map((i) => `down_blocks.${i}`);
  const channels = down.map((block) => look.size(`${block}.resnets.0.conv1.weight`, 0));
  const transformers = (block: string) =>
    look.children(`${block}.attentions`).map((j) =>
      look.children(`${block}.attentions.${j}.transformer_blocks`).length
    );
  const attends = (block: string) => look.children(`${block}.attentions`).length > 0;
  const up = down.map((_, i) => `up_blocks.${i}`);
  const [firstAttention = ""] = [...down, ...up].filter(attends).map((block) =>
    `${block}.attentions.0`
  );
  const timeDim = look.size("time_embedding.cond_proj.weight", 1);
  const addition = look.size("add_embedding.linear_1.weight", 1);
  return {
    _class_name: "UNet2DConditionModel",
    sample_size: TRAINED_SIZE[family] / 8,
    in_channels: look.size("conv_in.weight", 1),
    out_channels: look.size("conv_out.weight", 0),
    block_out_channels: channels,
    layers_per_block: down.map((block) => look.children(`${block}.resnets`).length),
    down_block_types: down.map((b) => attends(b) ? "CrossAttnDownBlock2D" : "DownBlock2D"),
    mid_block_type: midBlockType(look),
    up_block_types: up.map((b) => attends(b) ? "CrossAttnUpBlock2D" : "UpBlock2D"),
    transformer_layers_per_block: transformersByBlock(down.map(transformers), look),
    reverse_transformer_layers_per_block: up.map(transformers).map((of) => of.length ? of : 1),
    attention_head_dim: family === "sd1" ? SD1_HEADS : channels.map((n) => n / HEAD_WIDTH),
    cross_attention_dim: look.size(`${firstAttention}.transformer_blocks.0.attn2.to_k.weight`, 1),
    use_linear_projection: look.rank(`${firstAttention}.proj_in.weight`) === 2,
    ...(timeDim > 0 && { time_cond_proj_dim: timeDim }),
    ...(addition > 0 && {
      addition_embed_type: "text_time",
      addition_time_embed_dim: 256,
      projection_class_embeddings_input_dim: addition,
    }),
  };
}

/** A list a block; the last also stands for the mid block, whose depth it must then have. */
function transformersByBlock(down: readonly number[][], look: Shapes): (number | number[])[] {
  const mid = look.children("mid_block.attentions.0.transformer_blocks").length;
  return down.map((layers, i) =>
    layers.length > 0 ? layers : i === down.length - 1 && mid > 0 ? mid : 1
  );
}

function midBlockType(look: Shapes): string | null {
  if (look.children("mid_block.attentions").length > 0) return "UNetMidBlock2DCrossAttn";
  return look.children("mid_block.resnets").length > 0 ? "UNetMidBlock2D" : null;
}

function vaeJson(source: TensorSource, family: CheckpointFamily): ConfigJson {
  const look = new Shapes(source);
  const blocks = look.children("decoder.up_blocks").map((i) => `decoder.up_blocks.${i}`);
  const widths = blocks.map((block) => look.size(`${block}.resnets.0.conv1.weight`, 0));
  return {
    _class_name: "AutoencoderKL",
    block_out_channels: widths.toReversed(),
    down_block_types: blocks.map(() => "DownEncoderBlock2D"),
    up_block_types: blocks.map(() => "UpDecoderBlock2D"),
    layers_per_block: look.children("decoder.up_blocks.0.resnets").length - 1,
    latent_channels: look.size("decoder.conv_in.weight", 1),
    out_channels: look.size("decoder.conv_out.weight", 0),
    scaling_factor: family === "sdxl" ? 0.13025 : 0.18215,
    sample_size: TRAINED_SIZE[family],
  };
}

function textJson(source: TensorSource, activation: "gelu" | "quick_gelu"): ConfigJson {
  const look = new Shapes(source);
  const tokens = "text_model.embeddings.token_embedding.weight";
  const projection = look.size("text_projection.weight", 0);
  const hidden = look.size(tokens, 1);
  return {
    architectures: [projection > 0 ? "CLIPTextModelWithProjection" : "CLIPTextModel"],
    vocab_size: look.size(tokens, 0),
    hidden_size: hidden,
    intermediate_size: look.size("text_model.encoder.layers.0.mlp.fc1.weight", 0),
    num_hidden_layers: look.children("text_model.encoder.layers").length,
    num_attention_heads: hidden / HEAD_WIDTH,
    max_position_embeddings: look.size("text_model.embeddings.position_embedding.weight", 0),
    hidden_act: activation,
    eos_token_id: 2,
    ...(projection > 0 && { projection_dim: projection }),
  };
}

function schedulerJson(family: CheckpointFamily, prediction: PredictionType): ConfigJson {
  return {
    _class_name: { sd1: "PNDMScheduler", sd2: "DDIMScheduler", sdxl: "EulerDiscreteScheduler" }[
      family
    ],
    num_train_timesteps: 1000,
    beta_start: 0.00085,
    beta_end: 0.012,
    beta_schedule: "scaled_linear",
    prediction_type: prediction,
    timestep_spacing: "leading",
    steps_offset: 1,
    set_alpha_to_one: false,
    skip_prk_steps: true,
    clip_sample: false,
  };
}

/** Questions about a checkpoint's names and shapes. */
class Shapes {
  readonly #source: TensorSource;
  /** The distinct next steps of the names under each path. */
  readonly #children = new Map<string, Set<string>>();

  constructor(source: TensorSource) {
    this.#source = source;
    for (const name of source.names()) {
      const steps = name.split(".");
      for (let i = 1; i < steps.length; i++) {
        const path = steps.slice(0, i).join(".");
        const known = this.#children.get(path) ?? new Set();
        this.#children.set(path, known.add(steps[i]!));
      }
    }
  }

  /** Numbers of the numbered parts of a list of layers, in order. */
  children(path: string): number[] {
    return [...this.#children.get(path) ?? []].map(Number).sort((a, b) => a - b);
  }

  /** The size of one axis of a tensor, 0 where there is no such tensor. */
  size(name: string, axis: number): number {
    return this.#source.get(name)?.shape[axis] ?? 0;
  }

  /** The number of axes of a tensor, 0 where there is no such tensor. */
  rank(name: string): number {
    return this.#source.get(name)?.shape.length ?? 0;
  }
}
