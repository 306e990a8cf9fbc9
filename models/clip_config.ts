import type { ConfigJson } from "./config_reader.ts";
import { ConfigReader } from "./config_reader.ts";

const ACTIVATIONS = ["quick_gelu", "gelu"] as const;

/** What CLIP's two towers have in common. */
export interface ClipTowerConfig {
  /** The file, for messages. */
  readonly path: string;
  /** Width of the states. */
  readonly hiddenSize: number;
  /** Width inside the feed-forward layers. */
  readonly intermediateSize: number;
  /** Number of transformer layers. */
  readonly layers: number;
  /** Attention heads; they divide the width. */
  readonly heads: number;
  /** Activation of the feed-forward layers: `quick_gelu` in CLIP ViT-L, `gelu` in OpenCLIP. */
  readonly activation: "quick_gelu" | "gelu";
  /** Epsilon of every layer norm. */
  readonly normEpsilon: number;
  /** Width of the shared space of texts and pictures. */
  readonly projectionDim: number;
}

/** `config.json` of a transformers CLIPTextModel or CLIPTextModelWithProjection, checked. */
export interface ClipTextConfig extends ClipTowerConfig {
  /** Tokens that the embedding table has. */
  readonly vocabSize: number;
  /** Longest prompt in tokens, start and end tokens included: 77. */
  readonly positions: number;
  /** The end token, whose last state stands for the whole text. */
  readonly endToken: number;
  /**
   * Whether the pooled state is projected: CLIPTextModelWithProjection. Undefined in a file that
   * does not name its class; then the weights tell.
   */
  readonly projected: boolean | undefined;
}

/** `config.json` of a transformers CLIPVisionModelWithProjection, checked. */
export interface ClipVisionConfig extends ClipTowerConfig {
  /** Side of the picture in pixels. */
  readonly imageSize: number;
  /** Side of a patch in pixels; it divides the picture's. */
  readonly patchSize: number;
  /** Channels of the picture: 3. */
  readonly channels: number;
}

/**
 * Checks the `config.json` of a text encoder (defaults: CLIPTextConfig of transformers 5), also
 * where it is the `text_config` of a whole CLIP model. Throws ModelFormatError.
 */
export function clipTextConfig(json: ConfigJson, path: string): ClipTextConfig {
  const found = classes(json);
  const projected = found.length === 0 ? undefined : found.includes("CLIPTextModelWithProjection");
  refuseOtherClass(json, path, ["CLIPTextModel", "CLIPTextModelWithProjection", "CLIPModel"]);
  const reader = new ConfigReader(section(json, "text_config"), path);
  const vocabSize = reader.integer("vocab_size", 49408);
  return {
    ...tower(reader, { hidden: 512, intermediate: 2048, heads: 8 }),
    vocabSize,
    positions: reader.integer("max_position_embeddings", 77),
    endToken: endToken(reader, vocabSize),
    projected,
  };
}

/**
 * Checks the `config.json` of an image encoder (defaults: CLIPVisionConfig of transformers 5), also
 * where it is the `vision_config` of a whole CLIP model. Throws ModelFormatError.
 */
export function clipVisionConfig(json: ConfigJson, path: string): ClipVisionConfig {
  refuseOtherClass(json, path, ["CLIPVisionModelWithProjection", "CLIPModel"]);
  const reader = new ConfigReader(section(json, "vision_config"), path);
  const imageSize = reader.integer("image_size", 224);
  const patchSize = reader.integer("patch_size", 32);
  if (imageSize % patchSize !== 0) throw reader.wrong("patch_size", `a divisor of ${imageSize}`);
  return {
    ...tower(reader, { hidden: 768, intermediate: 3072, heads: 12 }),
    imageSize,
    patchSize,
    channels: reader.integer("num_channels", 3),
  };
}

function tower(
  reader: ConfigReader,
  defaults: { hidden: number; intermediate: number; heads: number },
): ClipTowerConfig {
  const hiddenSize = reader.integer("hidden_size", defaults.hidden);
  const heads = reader.integer("num_attention_heads", defaults.heads);
  if (hiddenSize % heads !== 0) {
    throw reader.wrong("num_attention_heads", `a divisor of ${hiddenSize}`);
  }
  return {
    path: reader.path,
    hiddenSize,
    heads,
    intermediateSize: reader.integer("intermediate_size", defaults.intermediate),
    layers: reader.integer("num_hidden_layers", 12),
    activation: reader.choice("hidden_act", "quick_gelu", ACTIVATIONS),
    normEpsilon: reader.number("layer_norm_eps", 1e-5),
    projectionDim: reader.integer("projection_dim", 512),
  };
}

/**
 * Files from before mid 2023 say 2, which is wrong for every CLIP vocabulary; the end token is the
 * last of the original vocabulary, 49407, also where tokens were added after it.
 */
function endToken(reader: ConfigReader, vocabSize: number): number {
  const value = reader.integer("eos_token_id", 49407, 0);
  if (value === 2) return Math.min(vocabSize - 1, 49407);
  if (value >= vocabSize) throw reader.wrong("eos_token_id", `a token below ${vocabSize}`);
  return value;
}

function section(json: ConfigJson, key: string): ConfigJson {
  const value = json[key];
  return typeof value === "object" && value !== null ? value as ConfigJson : json;
}

function classes(json: ConfigJson): readonly unknown[] {
  return Array.isArray(json.architectures) ? json.architectures : [];
}

function refuseOtherClass(json: ConfigJson, path: string, allowed: readonly string[]): void {
  const found = classes(json);
  if (found.length === 0 || found.some((name) => allowed.includes(String(name)))) return;
  throw new ConfigReader(json, path).wrong("architectures", allowed.join(" or "));
}
