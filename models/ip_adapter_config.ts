import { ModelFormatError } from "../weights/model_format_error.ts";
import { renamed, type TensorSource } from "../weights/stored_tensor.ts";
import type { UNetConfig } from "./unet_config.ts";

/** What an IP-Adapter is, as its tensors' shapes say. */
export interface IpAdapterConfig {
  /**
   * `pooled`: four tokens of the pooled embedding; `full`: a token for each state (Full Face);
   * `plus`: a resampler over the states (Plus, Plus Face); `face`: tokens of a face recognizer's
   * embedding (FaceID).
   */
  readonly kind: "pooled" | "full" | "plus" | "face";
  /** Width of what the image encoder gives. */
  readonly embedDim: number;
  /** Width of the tokens: the U-Net's cross-attention. */
  readonly crossDim: number;
  /** Tokens of a picture; of `full`, as many as states. */
  readonly tokens: number;
  /** The resampler's width. */
  readonly hiddenDim: number;
  /** The resampler's layers. */
  readonly depth: number;
  /** The resampler's attention heads. */
  readonly heads: number;
}

/** The pooled adapters give four tokens. */
const POOLED_TOKENS = 4;

/** Width of a resampler's attention heads; no variant has another. */
export const HEAD = 64;

/** Reads the shapes of an IP-Adapter's file. @throws {ModelFormatError} for other files. */
export function ipAdapterConfig(source: TensorSource): IpAdapterConfig {
  const shape = (name: string) => source.get(`image_proj.${name}`)?.shape;
  const none = { hiddenDim: 0, depth: 0, heads: 0 };
  const pooled = shape("proj.weight");
  if (pooled) {
    const [wide, embedDim] = pooled as [number, number];
    const crossDim = wide / POOLED_TOKENS;
    return { kind: "pooled", embedDim, crossDim, tokens: POOLED_TOKENS, ...none };
  }
  const full = shape("proj.3.weight"), first = shape("proj.0.weight");
  if (full && first) {
    return { kind: "full", embedDim: first[1]!, crossDim: full[0]!, tokens: 0, ...none };
  }
  const norm = shape("norm.weight"), last = shape("proj.2.weight");
  if (first && norm && last && !shape("perceiver_resampler.proj_in.weight")) {
    const crossDim = norm[0]!;
    return { kind: "face", embedDim: first[1]!, crossDim, tokens: last[0]! / crossDim, ...none };
  }
  const latents = shape("latents"), input = shape("proj_in.weight");
  const output = shape("proj_out.weight"), query = shape("layers.0.0.to_q.weight");
  if (!latents || !input || !output || !query) {
    throw new ModelFormatError(
      `Cannot use ${source.path} as an IP-Adapter: it has no image_proj of a known kind. ` +
        "Of the FaceID adapters those without Plus are known.",
      { path: source.path, key: "image_proj" },
    );
  }
  let depth = 0;
  while (shape(`layers.${depth}.0.to_q.weight`)) depth++;
  return {
    kind: "plus",
    embedDim: input[1]!,
    crossDim: output[0]!,
    tokens: latents[1]!,
    hiddenDim: latents[2]!,
    depth,
    heads: query[0]! / HEAD,
  };
}

/**
 * The LoRA that comes in a FaceID adapter's file, in names of diffusers before PEFT; undefined where
 * there is none. Its layers are counted as the attention is: of each block its own, then the cross-
 * attention.
 */
export function ipAdapterLora(source: TensorSource, config: UNetConfig): TensorSource | undefined {
  const order = crossAttentionOrder(config);
  const lora = renamed(source, (name) => {
    const [, index, rest] = /^ip_adapter\.(\d+)\.(to_(?:q|k|v|out)_lora\..+)$/.exec(name) ?? [];
    if (index === undefined) return undefined;
    const block = order[Math.floor(Number(index) / 2)] ?? `no_block_${index}`;
    return `unet.${block}.attn${1 + Number(index) % 2}.processor.${rest}`;
  });
  // The file's metadata are the adapter's, and say nothing of the LoRA.
  return [...lora.names()].length === 0 ? undefined : { ...lora, metadata: {} };
}

/**
 * Names of a U-Net's transformer blocks in the order in which IP-Adapters count their
 * cross-attention: down, up, and the mid block last (diffusers' attn_processors).
 */
export function crossAttentionOrder(config: UNetConfig): string[] {
  const within = (path: string, blocks: number) =>
    Array.from({ length: blocks }, (_, k) => `${path}.transformer_blocks.${k}`);
  const side = (name: string, blocks: UNetConfig["downBlocks"]) =>
    blocks.flatMap(({ transformers }, i) =>
      transformers.flatMap((count, j) => within(`${name}.${i}.attentions.${j}`, count))
    );
  const mid = config.midBlock === "UNetMidBlock2DCrossAttn"
    ? within("mid_block.attentions.0", config.midTransformers)
    : [];
  return [...side("down_blocks", config.downBlocks), ...side("up_blocks", config.upBlocks), ...mid];
}
