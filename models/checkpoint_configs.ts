/**
 * The `config.json` of each network of a single-file checkpoint, which has none: sizes are read off
 * the shapes, the rest is what the family's diffusers folders say. So distilled and extended models
 * (fewer layers, more channels) open without being known.
 */
import type { TensorSource } from "../weights/stored_tensor.ts";
import type { ControlNetCheckpoint } from "./checkpoint_controlnet.ts";
import type { Checkpoint, CheckpointFamily } from "./checkpoint.ts";
import type { ConfigJson } from "./config_reader.ts";

/** Configurations in the form of a diffusers folder's files; undefined for absent networks. */
export interface CheckpointConfigs {
  /** `unet/config.json`. */
  readonly unet: ConfigJson;
  /** `vae/config.json`. */
  readonly vae: ConfigJson | undefined;
  /** `text_encoder/config.json`. */
  readonly textEncoder: ConfigJson | undefined;
  /** `text_encoder_2/config.json`. */
  readonly textEncoder2: ConfigJson | undefined;
  /** `scheduler/scheduler_config.json`. */
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
    vae: vae && vaeCheckpointConfig(vae, family),
    textEncoder: textEncoder && textJson(textEncoder, family === "sd2" ? "gelu" : "quick_gelu"),
    textEncoder2: textEncoder2 && textJson(textEncoder2, "gelu"),
    scheduler: schedulerJson(family, prediction),
  };
}

/** The configuration of a single-file ControlNet. */
export function controlNetCheckpointConfig(
  { controlNet, family }: ControlNetCheckpoint,
): ConfigJson {
  const look = new Shapes(controlNet);
  const hint = "controlnet_cond_embedding";
  const blocks = look.children(`${hint}.blocks`);
  return {
    ...trunkJson(look, family),
    _class_name: "ControlNetModel",
    conditioning_channels: look.size(`${hint}.conv_in.weight`, 1),
    conditioning_embedding_out_channels: [
      look.size(`${hint}.conv_in.weight`, 0),
      ...blocks.filter((i) => i % 2 === 1).map((i) => look.size(`${hint}.blocks.${i}.weight`, 0)),
    ],
  };
}

/** Side of the training pictures in pixels. */
const TRAINED_SIZE: Readonly<Record<CheckpointFamily, number>> = { sd1: 512, sd2: 768, sdxl: 1024 };

/** Heads of SD 1's attention, whatever the width; later ones are 64 wide. */
const SD1_HEADS = 8;
const HEAD_WIDTH = 64;

function unetJson(source: TensorSource, family: CheckpointFamily): ConfigJson {
  const look = new Shapes(source);
  const up = look.children("up_blocks").map((i) => `up_blocks.${i}`);
  const timeDim = look.size("time_embedding.cond_proj.weight", 1);
  return {
    ...trunkJson(look, family),
    _class_name: "UNet2DConditionModel",
    sample_size: TRAINED_SIZE[family] / 8,
    out_channels: look.size("conv_out.weight", 0),
    up_block_types: up.map((b) => look.attends(b) ? "CrossAttnUpBlock2D" : "UpBlock2D"),
    reverse_transformer_layers_per_block: up.map((block) =>
      look.attends(block) ? look.transformers(block) : 1
    ),
    ...(timeDim > 0 && { time_cond_proj_dim: timeDim }),
  };
}

/** What U-Net and ControlNet share. */
function trunkJson(look: Shapes, family: CheckpointFamily): ConfigJson {
  const down = look.children("down_blocks").map((i) => `down_blocks.${i}`);
  const channels = down.map((block) => look.size(`${block}.resnets.0.conv1.weight`, 0));
  const attention = `${down.find((block) => look.attends(block)) ?? "mid_block"}.attentions.0`;
  const addition = look.size("add_embedding.linear_1.weight", 1);
  return {
    in_channels: look.size("conv_in.weight", 1),
    block_out_channels: channels,
    layers_per_block: down.map((block) => look.children(`${block}.resnets`).length),
    down_block_types: down.map((b) => look.attends(b) ? "CrossAttnDownBlock2D" : "DownBlock2D"),
    mid_block_type: midBlockType(look),
    transformer_layers_per_block: transformersByBlock(down.map((b) => look.transformers(b)), look),
    attention_head_dim: family === "sd1" ? SD1_HEADS : channels.map((n) => n / HEAD_WIDTH),
    cross_attention_dim: look.size(`${attention}.transformer_blocks.0.attn2.to_k.weight`, 1),
    use_linear_projection: look.rank(`${attention}.proj_in.weight`) === 2,
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
  if (look.attends("mid_block")) return "UNetMidBlock2DCrossAttn";
  return look.children("mid_block.resnets").length > 0 ? "UNetMidBlock2D" : null;
}

/** The configuration of an AutoencoderKL under diffusers' names; its scale is the family's. */
export function vaeCheckpointConfig(source: TensorSource, family: CheckpointFamily): ConfigJson {
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

  /** Whether a block has transformers. */
  attends(block: string): boolean {
    return this.children(`${block}.attentions`).length > 0;
  }

  /** The transformer blocks of each of a block's layers. */
  transformers(block: string): number[] {
    return this.children(`${block}.attentions`).map((i) =>
      this.children(`${block}.attentions.${i}.transformer_blocks`).length
    );
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
