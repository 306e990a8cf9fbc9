import { gelu } from "../graph/ops/activation.ts";
import { add, mul } from "../graph/ops/arithmetic.ts";
import { multiHeadAttention } from "../graph/ops/attention.ts";
import { cast } from "../graph/ops/elementwise.ts";
import { split } from "../graph/ops/join.ts";
import { reshape, transpose } from "../graph/ops/movement.ts";
import { scope } from "../graph/scope.ts";
import { fixed } from "../graph/shape.ts";
import type { Value } from "../graph/value.ts";
import { imageAttention, type ImagePrompts } from "./ip_adapter.ts";
import { conv2d, groupNorm, layerNorm, linear } from "./layers.ts";
import type { NetworkWeights } from "./network_weights.ts";
import { tokenMerger } from "./token_merging.ts";

/** Fixed in diffusers' Transformer2DModel, unlike the residual blocks' from the config. */
const GROUP_NORM_EPSILON = 1e-6;
const LAYER_NORM_EPSILON = 1e-5;

/** Options of a spatial transformer. */
export interface TransformerOptions {
  /** The prompt's hidden states [B, S, D]. */
  readonly context: Value;
  /** Number of transformer blocks. */
  readonly blocks: number;
  /** Attention heads. */
  readonly heads: number;
  /** Groups of the group norm. */
  readonly groups: number;
  /** Projections as linear layers after flattening (SD 2, XL), not 1x1 convolutions before. */
  readonly linearProjection: boolean;
  /** The first attention of a block looks at the prompt too. */
  readonly onlyCrossAttention: boolean;
  /** Attention in float32 in a float16 network. */
  readonly upcastAttention: boolean;
  /** Self-attention passes its values on (Ahn et al. 2024, arXiv:2403.17377). Default false. */
  readonly identityAttention?: boolean;
  /** Pictures as prompts. */
  readonly imagePrompts?: ImagePrompts | undefined;
  /** Share of the places that self-attention merges. Default 0. */
  readonly tokenMerging?: number;
}

/** Transformer over the pixels of `x` [B, C, h, w], with the prompt as context. */
export function spatialTransformer(
  x: Value,
  w: NetworkWeights,
  options: TransformerOptions,
): Value {
  const { groups, blocks } = options;
  return scope(w.label, () => {
    const channels = fixed("spatialTransformer", x.shape, 1);
    // In fewer bits both are products of a sequence, which needs no convolution's order of axes.
    const linearProjection = options.linearProjection || !!w.at("proj_in").quantized();
    const normed = groupNorm(x, w.at("norm"), groups, GROUP_NORM_EPSILON);
    const project = (value: Value, step: string) =>
      linearProjection
        ? linear(value, w.at(step), channels)
        : conv2d(value, w.at(step), channels, { kernel: 1 });
    let h = linearProjection
      ? project(toSequence(normed), "proj_in")
      : toSequence(project(normed, "proj_in"));
    for (let i = 0; i < blocks; i++) {
      h = transformerBlock(h, w.at(`transformer_blocks.${i}`), { ...options, size: sizeOf(x) });
    }
    const y = linearProjection
      ? toPicture(project(h, "proj_out"), x)
      : project(toPicture(h, x), "proj_out");
    return add(y, x);
  });
}

/** Self-attention, attention to the prompt, and a gated feed-forward layer, each added to `x`. */
function transformerBlock(
  x: Value,
  w: NetworkWeights,
  options: TransformerOptions & { readonly size: readonly [height: number, width: number] },
): Value {
  const { context, onlyCrossAttention, identityAttention: identity = false } = options;
  const self = { ...options, identity }, { size, tokenMerging = 0 } = options;
  const { imagePrompts, heads } = options;
  const beside = imagePrompts &&
    ((queries: Value) =>
      imageAttention(queries, imagePrompts.adapters, imagePrompts.order.indexOf(w.path), heads));
  return scope(w.label, () => {
    const norm = (value: Value, step: string) => layerNorm(value, w.at(step), LAYER_NORM_EPSILON);
    const first = norm(x, "norm1");
    const merger = tokenMerging > 0 ? tokenMerger(first, size, tokenMerging) : undefined;
    const tokens = merger?.merge(first) ?? first;
    const seen = attention(tokens, onlyCrossAttention ? context : tokens, w.at("attn1"), self);
    let h = add(x, merger?.unmerge(seen) ?? seen);
    h = add(h, attention(norm(h, "norm2"), context, w.at("attn2"), { ...options, beside }));
    return add(h, feedForward(norm(h, "norm3"), w.at("ff")));
  });
}

/** Options of an attention layer. */
export interface AttentionOptions {
  /** Attention heads; they divide the width. */
  readonly heads: number;
  /** Attention in float32 in a float16 network. */
  readonly upcastAttention: boolean;
  /** Biases of the three projections; the U-Net has none, the autoencoder has. Default false. */
  readonly bias?: boolean;
  /** Every place looks at itself alone: the values go to the output projection. Default false. */
  readonly identity?: boolean;
  /** What else is added to the result, for the projected queries: attention to pictures. */
  readonly beside?: ((queries: Value) => Value | undefined) | undefined;
}

/** Attention of `x` [B, n, C] to `context` [B, m, D], with its output projection: [B, n, C]. */
export function attention(
  x: Value,
  context: Value,
  w: NetworkWeights,
  { heads, upcastAttention, bias = false, identity = false, beside }: AttentionOptions,
): Value {
  return scope(w.label, () => {
    const width = fixed("attention", x.shape, 2);
    const dtype = upcastAttention ? "float32" : w.dtype;
    const [q, k, v] = [[x, "to_q"], [context, "to_k"], [context, "to_v"]] as const;
    const projected = ([value, step]: readonly [Value, string]) =>
      cast(linear(value, w.at(step), width, { bias }), dtype);
    if (identity) return linear(cast(projected(v), w.dtype), w.at("to_out.0"), width);
    const queries = projected(q);
    const text = multiHeadAttention(queries, projected(k), projected(v), { heads });
    const more = beside?.(queries), y = more ? add(text, more) : text;
    return linear(cast(y, w.dtype), w.at("to_out.0"), width);
  });
}

/** GEGLU (arXiv:2002.05202): one half of a projection to 8C gates the other, then back to C. */
function feedForward(x: Value, w: NetworkWeights): Value {
  return scope(w.label, () => {
    const width = fixed("feedForward", x.shape, 2);
    const inner = 4 * width;
    const both = linear(x, w.at("net.0.proj"), 2 * inner);
    const [value, gate] = split(both, [inner, inner], 2) as [Value, Value];
    return linear(mul(value, gelu(gate)), w.at("net.2"), width);
  });
}

function sizeOf(x: Value): [height: number, width: number] {
  return [fixed("spatialTransformer", x.shape, 2), fixed("spatialTransformer", x.shape, 3)];
}

/** [B, C, h, w] to [B, h*w, C] */
export function toSequence(x: Value): Value {
  const [batch, channels] = x.shape as [number, number];
  return transpose(reshape(x, [batch, channels, -1]), [0, 2, 1]);
}

/** [B, h*w, C] back to the shape of `like` [B, C, h, w]. */
export function toPicture(x: Value, like: Value): Value {
  return reshape(transpose(x, [0, 2, 1]), like.shape);
}
