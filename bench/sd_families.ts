/**
 * The config files of the full-size models, as their publishers' folders have them.
 *
 * @module
 */

import type { ClipShapeConfig, UNetShapeConfig, VaeShapeConfig } from "./sd_shapes.ts";

/** One text encoder with its tokenizer's padding. */
export interface TextEncoderFamily {
  readonly config: ClipShapeConfig & Readonly<Record<string, unknown>>;
  readonly projection: boolean;
  readonly pad: "<|endoftext|>" | "!";
}

/** Everything that a diffusers folder says in JSON. */
export interface Family {
  readonly pipeline: string;
  readonly scheduler: Readonly<Record<string, unknown>>;
  readonly unet: UNetShapeConfig & Readonly<Record<string, unknown>>;
  readonly vae: VaeShapeConfig & Readonly<Record<string, unknown>>;
  /** One, or SDXL's two. */
  readonly textEncoders: readonly TextEncoderFamily[];
}

const UNET = {
  _class_name: "UNet2DConditionModel",
  in_channels: 4,
  out_channels: 4,
  center_input_sample: false,
  flip_sin_to_cos: true,
  freq_shift: 0,
  mid_block_type: "UNetMidBlock2DCrossAttn",
  layers_per_block: 2,
  downsample_padding: 1,
  mid_block_scale_factor: 1,
  act_fn: "silu",
  norm_num_groups: 32,
  norm_eps: 1e-5,
  addition_embed_type: null,
  addition_time_embed_dim: null,
  projection_class_embeddings_input_dim: null,
};

const SD_UNET = {
  ...UNET,
  block_out_channels: [320, 640, 1280, 1280],
  down_block_types: [...new Array<string>(3).fill("CrossAttnDownBlock2D"), "DownBlock2D"],
  up_block_types: ["UpBlock2D", ...new Array<string>(3).fill("CrossAttnUpBlock2D")],
  transformer_layers_per_block: [1, 1, 1, 1],
};

const VAE = {
  _class_name: "AutoencoderKL",
  in_channels: 3,
  out_channels: 3,
  down_block_types: new Array<string>(4).fill("DownEncoderBlock2D"),
  up_block_types: new Array<string>(4).fill("UpDecoderBlock2D"),
  block_out_channels: [128, 256, 512, 512],
  layers_per_block: 2,
  act_fn: "silu",
  latent_channels: 4,
  norm_num_groups: 32,
  sample_size: 512,
  scaling_factor: 0.18215,
};

const CLIP = {
  model_type: "clip_text_model",
  vocab_size: 49408,
  max_position_embeddings: 77,
  layer_norm_eps: 1e-5,
  bos_token_id: 49406,
  eos_token_id: 49407,
};

const CLIP_L: TextEncoderFamily = {
  config: {
    ...CLIP,
    architectures: ["CLIPTextModel"],
    hidden_size: 768,
    intermediate_size: 3072,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    projection_dim: 768,
    hidden_act: "quick_gelu",
  },
  projection: false,
  pad: "<|endoftext|>",
};

/** SD 2's encoder is OpenCLIP's ViT-H without its 24th layer. */
const CLIP_H: TextEncoderFamily = {
  config: {
    ...CLIP,
    architectures: ["CLIPTextModel"],
    hidden_size: 1024,
    intermediate_size: 4096,
    num_hidden_layers: 23,
    num_attention_heads: 16,
    projection_dim: 512,
    hidden_act: "gelu",
  },
  projection: false,
  pad: "!",
};

const CLIP_BIG_G: TextEncoderFamily = {
  config: {
    ...CLIP,
    architectures: ["CLIPTextModelWithProjection"],
    hidden_size: 1280,
    intermediate_size: 5120,
    num_hidden_layers: 32,
    num_attention_heads: 20,
    projection_dim: 1280,
    hidden_act: "gelu",
  },
  projection: true,
  pad: "!",
};

const SCHEDULER = {
  num_train_timesteps: 1000,
  beta_start: 0.00085,
  beta_end: 0.012,
  beta_schedule: "scaled_linear",
  steps_offset: 1,
  set_alpha_to_one: false,
  clip_sample: false,
};

/** Stable Diffusion 1.5, 2.1 (768, v-prediction) and XL base 1.0. */
export const FAMILIES: Readonly<Record<"sd15" | "sd21" | "sdxl", Family>> = {
  sd15: {
    pipeline: "StableDiffusionPipeline",
    scheduler: {
      _class_name: "PNDMScheduler",
      ...SCHEDULER,
      skip_prk_steps: true,
      prediction_type: "epsilon",
    },
    unet: {
      ...SD_UNET,
      sample_size: 64,
      cross_attention_dim: 768,
      attention_head_dim: 8,
      use_linear_projection: false,
    },
    vae: VAE,
    textEncoders: [CLIP_L],
  },
  sd21: {
    pipeline: "StableDiffusionPipeline",
    scheduler: { _class_name: "DDIMScheduler", ...SCHEDULER, prediction_type: "v_prediction" },
    unet: {
      ...SD_UNET,
      sample_size: 96,
      cross_attention_dim: 1024,
      attention_head_dim: [5, 10, 20, 20],
      use_linear_projection: true,
      upcast_attention: true,
    },
    vae: { ...VAE, sample_size: 768 },
    textEncoders: [CLIP_H],
  },
  sdxl: {
    pipeline: "StableDiffusionXLPipeline",
    scheduler: {
      _class_name: "EulerDiscreteScheduler",
      ...SCHEDULER,
      timestep_spacing: "leading",
      interpolation_type: "linear",
      prediction_type: "epsilon",
    },
    unet: {
      ...UNET,
      sample_size: 128,
      block_out_channels: [320, 640, 1280],
      down_block_types: ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
      up_block_types: ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
      transformer_layers_per_block: [1, 2, 10],
      attention_head_dim: [5, 10, 20],
      cross_attention_dim: 2048,
      use_linear_projection: true,
      addition_embed_type: "text_time",
      addition_time_embed_dim: 256,
      projection_class_embeddings_input_dim: 2816,
    },
    vae: { ...VAE, sample_size: 1024, scaling_factor: 0.13025, force_upcast: true },
    textEncoders: [CLIP_L, CLIP_BIG_G],
  },
};
