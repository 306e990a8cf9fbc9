/** Where a U-Net looks: its cross-attention as pictures, taken from a graph that is built. */
import { mul } from "../graph/ops/arithmetic.ts";
import { cast } from "../graph/ops/elementwise.ts";
import { matMul } from "../graph/ops/linalg.ts";
import { reshape, transpose } from "../graph/ops/movement.ts";
import { reduceMean, reduceSum, softmax } from "../graph/ops/reduce.ts";
import { reachable } from "../graph/reachable.ts";
import { type Dim, fixed } from "../graph/shape.ts";
import type { OpNode, Value } from "../graph/value.ts";
import type { GraphModel } from "./graph_model.ts";

/**
 * For each cross-attention layer of a U-Net, by its name in the checkpoint, how much each latent
 * pixel looks at each token: [B, S, h, w], the mean over the heads; the S maps of a pixel sum to
 * one (Hertz et al. 2022, arXiv:2208.01626). Give them to `toOnnx` beside the network's outputs.
 * `latents` are the sizes that the network was built with.
 */
export function crossAttentionMaps(
  model: GraphModel,
  latents: { readonly height: number; readonly width: number },
): Record<string, Value> {
  const maps: Record<string, Value> = {};
  for (const node of reachable(Object.values(model.outputs))) {
    const place = /^(.*\/attn2)$/.exec(node.scope)?.[1];
    const weights = place === undefined ? undefined : attentionWeights(node);
    if (place === undefined || weights === undefined) continue;
    maps[place.replaceAll("/", ".")] = asPictures(weights, latents);
  }
  return maps;
}

/**
 * How much each place of the mid block is looked at by all others, [B, places]: the mean over the
 * heads; the mean over the places is one. What self-attention guidance blurs.
 *
 * Throws a RangeError for a U-Net whose mid block has no attention.
 */
export function midBlockFocus(model: GraphModel): Value {
  for (const node of reachable(Object.values(model.outputs))) {
    if (!/^mid_block\/.*\/attn1$/.test(node.scope)) continue;
    const weights = attentionWeights(node);
    if (weights === undefined) continue;
    return reduceSum(reduceMean(cast(weights, "float32"), { axes: [1] }), { axes: [1] });
  }
  throw new RangeError("Cannot look at the mid block's attention: it has none.");
}

/** [B, heads, pixels, S] of an attention node, fused or not; undefined for other nodes. */
function attentionWeights(node: OpNode): Value | undefined {
  if (node.op.type === "Softmax") return node.outputs[0];
  if (node.op.type !== "MultiHeadAttention") return undefined;
  const [q, k] = node.inputs as [Value, Value];
  const { num_heads: heads, scale } = node.attributes as { num_heads: number; scale: number };
  const byHead = (x: Value, perm: number[]) => {
    const width = fixed("crossAttentionMaps", x.shape, 2);
    const [batch, count] = x.shape as [Dim, Dim];
    return transpose(reshape(cast(x, "float32"), [batch, count, heads, width / heads]), perm);
  };
  const queries = byHead(q, [0, 2, 1, 3]), keys = byHead(k, [0, 2, 3, 1]);
  return softmax(mul(matMul(queries, keys), scale));
}

/** The mean over heads, one picture a token. */
function asPictures(weights: Value, latents: { height: number; width: number }): Value {
  const mean = transpose(reduceMean(cast(weights, "float32"), { axes: [1] }), [0, 2, 1]);
  const [batch, tokens] = mean.shape as [Dim, Dim];
  const pixels = fixed("crossAttentionMaps", mean.shape, 2);
  let { height, width } = latents;
  // Each resolution on the way down has half the size, rounded up.
  while (height * width > pixels) [height, width] = [height, width].map(half) as [number, number];
  if (height * width !== pixels) {
    throw new RangeError(
      `Cannot make attention maps: no resolution of ${latents.height}x${latents.width} ` +
        `latents has ${pixels} pixels. Give the sizes that the network was built with.`,
    );
  }
  return reshape(mean, [batch, tokens, height, width]);
}

const half = (size: number) => Math.ceil(size / 2);
