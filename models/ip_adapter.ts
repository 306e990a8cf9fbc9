/** IP-Adapter (Ye et al. 2023, arXiv:2308.06721): pictures as prompts, in a U-Net's attention. */
import { gelu } from "../graph/ops/activation.ts";
import { add, mul } from "../graph/ops/arithmetic.ts";
import { multiHeadAttention } from "../graph/ops/attention.ts";
import { cast } from "../graph/ops/elementwise.ts";
import { concat, split } from "../graph/ops/join.ts";
import { expand, expandLike, reshape } from "../graph/ops/movement.ts";
import { scope } from "../graph/scope.ts";
import { fixed } from "../graph/shape.ts";
import type { Value } from "../graph/value.ts";
import type { TensorSource } from "../weights/stored_tensor.ts";
import { GraphInputs } from "./graph_inputs.ts";
import type { GraphModel, ModelOptions } from "./graph_model.ts";
import { HEAD, type IpAdapterConfig } from "./ip_adapter_config.ts";
import { layerNorm, linear } from "./layers.ts";
import { NetworkWeights } from "./network_weights.ts";

const EPSILON = 1e-5;

/** Sizes of a projection's graph. */
export interface ProjectionShape {
  /** Pictures at once. */
  readonly batch: number;
  /** States of the image encoder, its class token counted; 1 for the pooled embedding. */
  readonly states: number;
}

/**
 * From what the image encoder says to tokens for the U-Net. Input: `image_states` [B, n, E], the
 * pooled embedding (n = 1) or the states before the last layer, as the config says. Output:
 * `image_tokens` [B, T, C]. Throws ModelFormatError when the weights do not fit.
 */
export function ipAdapterProjection(
  config: IpAdapterConfig,
  source: TensorSource,
  { batch, states }: ProjectionShape,
  options: ModelOptions = {},
): GraphModel {
  const w = NetworkWeights.of("the IP-Adapter", source, options);
  const inputs = new GraphInputs(options);
  const shape = [batch, states, config.embedDim];
  const x = cast(inputs.take("image_states", "float32", shape), w.dtype);
  const tokens = PROJECTIONS[config.kind](x, w.at("image_proj"), config);
  return {
    name: "image_projection",
    inputs: [...inputs.list(), ...w.parameters],
    outputs: { image_tokens: cast(tokens, "float32") },
    parameters: w.parameters,
    unexpected: w.unexpected((name) => name.startsWith("ip_adapter.")),
  };
}

type Projection = (x: Value, w: NetworkWeights, config: IpAdapterConfig) => Value;

const PROJECTIONS: Readonly<Record<IpAdapterConfig["kind"], Projection>> = {
  pooled(x, w, { tokens, crossDim }) {
    return asTokens(linear(x, w.at("proj"), tokens * crossDim), w, crossDim);
  },
  full(x, w, { embedDim, crossDim }) {
    const h = linear(gelu(linear(x, w.at("proj.0"), embedDim)), w.at("proj.2"), crossDim);
    return layerNorm(h, w.at("proj.3"), EPSILON);
  },
  face(x, w, { tokens, crossDim, embedDim }) {
    const hidden = w.shapeOf("proj.0.weight")[0] ?? embedDim;
    const wide = linear(gelu(linear(x, w.at("proj.0"), hidden)), w.at("proj.2"), tokens * crossDim);
    return asTokens(wide, w, crossDim);
  },
  plus(x, w, { hiddenDim, depth, crossDim, tokens, heads }) {
    const states = linear(x, w.at("proj_in"), hiddenDim);
    const queries = w.tensor("latents", [1, tokens, hiddenDim]);
    let latents = expand(queries, [fixed("ipAdapter", x.shape, 0), tokens, hiddenDim]);
    for (let i = 0; i < depth; i++) {
      latents = resamplerLayer(latents, states, w.at(`layers.${i}`), heads);
    }
    return layerNorm(linear(latents, w.at("proj_out"), crossDim), w.at("norm_out"), EPSILON);
  },
};

/** All tokens of a picture side by side [B, 1, T*C] as [B, T, C], normalized. */
function asTokens(wide: Value, w: NetworkWeights, crossDim: number): Value {
  const batch = fixed("ipAdapter", wide.shape, 0);
  return layerNorm(reshape(wide, [batch, -1, crossDim]), w.at("norm"), EPSILON);
}

/** A layer of the Perceiver resampler: attention to the states and itself, then feed-forward. */
function resamplerLayer(latents: Value, states: Value, w: NetworkWeights, heads: number): Value {
  return scope(w.label, () => {
    const width = fixed("ipAdapter", latents.shape, 2), bare = { bias: false };
    const attention = w.at("0"), inner = heads * HEAD;
    const q = layerNorm(latents, attention.at("norm2"), EPSILON);
    const all = concat([layerNorm(states, attention.at("norm1"), EPSILON), q], 1);
    const kv = linear(all, attention.at("to_kv"), 2 * inner, bare);
    const [k, v] = split(kv, [inner, inner], 2) as [Value, Value];
    const query = linear(q, attention.at("to_q"), inner, bare);
    const attended = multiHeadAttention(query, k, v, { heads });
    const h = add(latents, linear(attended, attention.at("to_out"), width, bare));
    const feed = w.at("1"), normed = layerNorm(h, feed.at("0"), EPSILON);
    const wide = linear(normed, feed.at("1"), feedWidth(feed), bare);
    return add(h, linear(gelu(wide), feed.at("3"), width, bare));
  });
}

/** The feed-forward layer is as wide as the file has it: four times in all that were published. */
const feedWidth = (w: NetworkWeights) => w.shapeOf("1.weight")[0]!;

/** A picture in a U-Net's attention. */
export interface ImagePrompt {
  /** The adapter's weights, those of a layer under `ip_adapter.N`. */
  readonly weights: NetworkWeights;
  /** The picture's tokens [B, T, C]. */
  readonly tokens: Value;
  /** How strongly it acts [1]. */
  readonly scale: Value;
}

/** The pictures in a U-Net's attention. */
export interface ImagePrompts {
  readonly adapters: readonly ImagePrompt[];
  /** Paths of the transformer blocks, in the order in which adapters count them. */
  readonly order: readonly string[];
}

/** What pictures add to cross-attention layer `index`: attention to their tokens, scaled. */
export function imageAttention(
  queries: Value,
  prompts: readonly ImagePrompt[],
  index: number,
  heads: number,
): Value | undefined {
  const width = fixed("ipAdapter", queries.shape, 2);
  return prompts.map(({ weights, tokens, scale }) => {
    // Odd numbers only: in the original every other one is a self-attention layer.
    const w = weights.at(`ip_adapter.${2 * index + 1}`), bare = { bias: false };
    const k = linear(tokens, w.at("to_k_ip"), width, bare);
    const v = linear(tokens, w.at("to_v_ip"), width, bare);
    const y = multiHeadAttention(queries, cast(k, queries.dtype), cast(v, queries.dtype), {
      heads,
    });
    return mul(y, cast(expandLike(reshape(scale, [1, 1, 1]), y), y.dtype));
  }).reduce<Value | undefined>((sum, y) => sum ? add(sum, y) : y, undefined);
}
