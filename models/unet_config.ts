import type { ConfigJson } from "./config_reader.ts";
import { ConfigReader } from "./config_reader.ts";

const CROSS = "CrossAttnDownBlock2D";
const DOWN_BLOCKS = [CROSS, "DownBlock2D"] as const;
const UP_BLOCKS = ["CrossAttnUpBlock2D", "UpBlock2D"] as const;
const MID_BLOCKS = ["UNetMidBlock2DCrossAttn", "UNetMidBlock2D", "none"] as const;

/** One resolution of the U-Net; lists are over the layers of the block. */
export interface BlockConfig {
  /** Channels of the block's results. */
  readonly channels: number;
  /** Pairs of residual block and transformer, before an up block's additional one. */
  readonly layers: number;
  /** Transformer blocks in each layer's transformer; empty where the block has no attention. */
  readonly transformers: readonly number[];
  /** Attention heads (which `config.json` calls `attention_head_dim`). */
  readonly heads: number;
  /** Width of the prompt's states. */
  readonly crossAttentionDim: number;
  /** The first attention of each transformer block also looks at the prompt (SD x4 upscaler). */
  readonly onlyCrossAttention: boolean;
}

/** What `config.json` of the U-Net and of its trainable copy, the ControlNet, have in common. */
export interface UNetTrunkConfig {
  /** The file, for messages. */
  readonly path: string;
  /** Channels of `sample`: 4; 9 inpainting; 8 InstructPix2Pix; 5 depth. */
  readonly inChannels: number;
  /** Blocks on the way down, finest first. */
  readonly downBlocks: readonly BlockConfig[];
  /** What stands at the bottom; distilled U-Nets have less or nothing. */
  readonly midBlock: "UNetMidBlock2DCrossAttn" | "UNetMidBlock2D" | "none";
  /** Transformer blocks of the mid block's transformer. */
  readonly midTransformers: number;
  /** Divides the sums of the mid block. */
  readonly midScale: number;
  /** Transformers project by linear layers (SD 2, XL), not by 1x1 convolutions (SD 1). */
  readonly useLinearProjection: boolean;
  /** Groups of every group norm. */
  readonly normGroups: number;
  /** Epsilon of the residual blocks' group norms. */
  readonly normEpsilon: number;
  /** Timestep embedding: cosines before sines. */
  readonly flipSinToCos: boolean;
  /** Timestep embedding: taken from the number of frequencies in their spacing. */
  readonly freqShift: number;
  /** Width of the timestep embedding. */
  readonly timeEmbedDim: number;
  /** SDXL's second embedding, of the pooled text and the picture's sizes. */
  readonly textTime: { readonly timeDim: number; readonly inputDim: number } | undefined;
  /** Rows of the class embedding table (noise level of the x4 upscaler). */
  readonly classEmbeddings: number | undefined;
  /** Attention in float32 where the rest is float16 (SD 2.1). */
  readonly upcastAttention: boolean;
  /** Padding of the convolutions that halve the size; 0: at the right and bottom only. */
  readonly downsamplePadding: number;
}

/** `config.json` of a diffusers UNet2DConditionModel, checked. */
export interface UNetConfig extends UNetTrunkConfig {
  /** Channels of the prediction: 4. */
  readonly outChannels: number;
  /** Blocks on the way up, coarsest first. */
  readonly upBlocks: readonly BlockConfig[];
  /** Side of the latents it was trained on, for the default picture size. */
  readonly sampleSize: number | undefined;
  /** Width of `timestep_cond` (guidance embedding of distilled LCM models). */
  readonly timeCondDim: number | undefined;
  /** The sample is mapped from 0..1 to -1..1 first. */
  readonly centerInput: boolean;
  /** Side of the first convolution's kernel. */
  readonly convInKernel: number;
  /** Side of the last convolution's kernel. */
  readonly convOutKernel: number;
}

/**
 * Checks the `config.json` of a UNet2DConditionModel (defaults: the constructor's of diffusers
 * 0.42.1). Throws ModelFormatError for a damaged file and for variants that are not built.
 */
export function unetConfig(json: ConfigJson, path: string): UNetConfig {
  const reader = new ConfigReader(json, path);
  reader.requireClass(["UNet2DConditionModel"]);
  const trunk = unetTrunkConfig(reader);
  const convInKernel = reader.integer("conv_in_kernel", 3);
  const convOutKernel = reader.integer("conv_out_kernel", 3);
  for (const key of ["time_embedding_act_fn", "timestep_post_act"]) reader.refuse(key, []);
  reader.refuse("time_embedding_type", ["positional"]);
  reader.refuse("resnet_skip_time_act", [false]);
  reader.refuse("resnet_out_scale_factor", [1]);
  reader.refuse("dual_cross_attention", [false]);
  reader.refuse("attention_type", ["default"]);
  reader.refuse("class_embeddings_concat", [false]);
  return {
    ...trunk,
    outChannels: reader.integer("out_channels", 4),
    upBlocks: upBlocks(reader, trunk.downBlocks),
    sampleSize: sampleSize(reader),
    timeCondDim: reader.optionalInteger("time_cond_proj_dim"),
    centerInput: reader.boolean("center_input_sample", false),
    convInKernel,
    convOutKernel,
  };
}

/** The keys that UNet2DConditionModel and ControlNetModel share. */
export function unetTrunkConfig(reader: ConfigReader): UNetTrunkConfig {
  reader.refuse("act_fn", ["silu", "swish"]);
  reader.refuse("num_attention_heads", []);
  reader.refuse("encoder_hid_dim_type", []);
  reader.refuse("encoder_hid_dim", []);
  reader.refuse("class_embed_type", []);
  reader.refuse("resnet_time_scale_shift", ["default"]);
  reader.refuse("cross_attention_norm", []);
  const downBlocks = downBlockConfigs(reader);
  const midTransformers = transformersPerLayer(reader, "transformer_layers_per_block", {
    block: downBlocks.length - 1,
    blocks: downBlocks.length,
    layers: 1,
  });
  return {
    path: reader.path,
    inChannels: reader.integer("in_channels", 4),
    downBlocks,
    midBlock: midBlockType(reader),
    midTransformers: midTransformers[0]!,
    midScale: reader.number("mid_block_scale_factor", 1),
    useLinearProjection: reader.boolean("use_linear_projection", false),
    normGroups: reader.integer("norm_num_groups", 32),
    normEpsilon: reader.number("norm_eps", 1e-5),
    flipSinToCos: reader.boolean("flip_sin_to_cos", true),
    freqShift: reader.number("freq_shift", 0),
    timeEmbedDim: reader.integer("time_embedding_dim", downBlocks[0]!.channels * 4),
    textTime: textTime(reader),
    classEmbeddings: reader.optionalInteger("num_class_embeds"),
    upcastAttention: reader.boolean("upcast_attention", false),
    downsamplePadding: reader.integer("downsample_padding", 1, 0),
  };
}

function downBlockConfigs(reader: ConfigReader): BlockConfig[] {
  const types = reader.choices(
    "down_block_types",
    [CROSS, CROSS, CROSS, "DownBlock2D"],
    DOWN_BLOCKS,
  );
  const count = types.length;
  const channels = reader.integers("block_out_channels", [320, 640, 1280, 1280], count);
  const layers = reader.integerPerBlock("layers_per_block", 2, count);
  const heads = reader.integerPerBlock("attention_head_dim", 8, count);
  const cross = reader.integerPerBlock("cross_attention_dim", 1280, count);
  const only = reader.booleanPerBlock("only_cross_attention", false, count);
  return types.map((type, i) => {
    if (type === CROSS && channels[i]! % heads[i]! !== 0) {
      throw reader.wrong("attention_head_dim", `a number of heads that divides ${channels[i]}`);
    }
    return {
      channels: channels[i]!,
      layers: layers[i]!,
      transformers: type !== CROSS ? [] : transformersPerLayer(
        reader,
        "transformer_layers_per_block",
        { block: i, blocks: count, layers: layers[i]! },
      ),
      heads: heads[i]!,
      crossAttentionDim: cross[i]!,
      onlyCrossAttention: only[i]!,
    };
  });
}

/** Up blocks are the down blocks in reverse with one more layer; their types are given apart. */
function upBlocks(reader: ConfigReader, downBlocks: readonly BlockConfig[]): BlockConfig[] {
  const up = "CrossAttnUpBlock2D";
  const types = reader.choices("up_block_types", ["UpBlock2D", up, up, up], UP_BLOCKS);
  const blocks = downBlocks.length;
  if (types.length !== blocks) throw reader.wrong("up_block_types", `${blocks} names`);
  const reversed = reader.optional("reverse_transformer_layers_per_block") !== undefined;
  return types.map((type, i) => {
    const down = downBlocks[blocks - 1 - i]!;
    const layers = down.layers + 1;
    const transformers = type !== up
      ? []
      : reversed
      ? transformersPerLayer(reader, "reverse_transformer_layers_per_block", {
        block: i,
        blocks,
        layers,
      })
      : transformersPerLayer(reader, "transformer_layers_per_block", {
        block: blocks - 1 - i,
        blocks,
        layers,
      });
    return { ...down, transformers };
  });
}

/** A number, a number a block, or a number a layer of a block (SSD-1B). */
function transformersPerLayer(
  reader: ConfigReader,
  key: string,
  at: { block: number; blocks: number; layers: number },
): number[] {
  const value = reader.optional(key) ?? 1;
  const ofBlock = Array.isArray(value) && value.length === at.blocks ? value[at.block] : value;
  const ofLayers = Array.isArray(ofBlock) ? ofBlock : Array(at.layers).fill(ofBlock);
  const fits = ofLayers.length >= at.layers &&
    ofLayers.every((n) => Number.isSafeInteger(n) && n >= 1);
  if (!fits) {
    throw reader.wrong(key, `a whole number, or ${at.blocks} of them (or lists a block's layers)`);
  }
  return ofLayers.slice(0, at.layers);
}

/** The one key where null is a choice of its own: distilled U-Nets leave the mid block out. */
function midBlockType(reader: ConfigReader): UNetTrunkConfig["midBlock"] {
  if (reader.json.mid_block_type === null) return "none";
  return reader.choice("mid_block_type", "UNetMidBlock2DCrossAttn", MID_BLOCKS);
}

function textTime(reader: ConfigReader): UNetTrunkConfig["textTime"] {
  reader.refuse("addition_embed_type", ["text_time"]);
  if (reader.optional("addition_embed_type") === undefined) return undefined;
  return {
    timeDim: reader.integer("addition_time_embed_dim", 0),
    inputDim: reader.integer("projection_class_embeddings_input_dim", 0),
  };
}

/** One side, or [height, width], of which the first is taken. */
function sampleSize(reader: ConfigReader): number | undefined {
  const value = reader.optional("sample_size");
  if (Array.isArray(value)) return reader.integers("sample_size", [])[0];
  return reader.optionalInteger("sample_size");
}
