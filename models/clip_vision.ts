import { add } from "../graph/ops/arithmetic.ts";
import { cast } from "../graph/ops/elementwise.ts";
import { concat, slice } from "../graph/ops/join.ts";
import { expandLike, reshape, squeeze } from "../graph/ops/movement.ts";
import { scope } from "../graph/scope.ts";
import type { Dim } from "../graph/shape.ts";
import type { Value } from "../graph/value.ts";
import type { TensorSource } from "../weights/stored_tensor.ts";
import type { ClipVisionConfig } from "./clip_config.ts";
import { clipLayers } from "./clip_layers.ts";
import { GraphInputs } from "./graph_inputs.ts";
import type { GraphModel, ModelOptions } from "./graph_model.ts";
import { conv2d, layerNorm, linear } from "./layers.ts";
import { NetworkWeights } from "./network_weights.ts";
import { toSequence } from "./transformer.ts";

/** What an image encoder computes. */
export interface ClipVisionOptions extends ModelOptions {
  /** Also the state before the last layer, which IP-Adapter Plus takes. Default false. */
  readonly penultimate?: boolean;
  /** Also the states after these layers, counted from 1: the outputs `state_N`. Default: none. */
  readonly states?: readonly number[];
}

/** Name of the output with the states after layer `n`. */
export const clipState = (n: number): string => `state_${n}`;

/**
 * CLIP's image encoder (transformers CLIPVisionModelWithProjection; arXiv:2103.00020). Input:
 * `pixel_values` [B, 3, side, side], normalized by CLIP's mean and deviation. Outputs:
 * `image_embeds` [B, P] in the space shared with texts, and where asked `penultimate` and the states
 * of layers, [B, 1 + patches, D]. Throws ModelFormatError when the weights do not fit the config.
 */
export function clipVisionModel(
  config: ClipVisionConfig,
  source: TensorSource,
  { batch }: { readonly batch: Dim },
  options: ClipVisionOptions = {},
): GraphModel {
  const w = NetworkWeights.of("the image encoder", source, options);
  const vision = w.at("vision_model");
  const { imageSize: side, channels } = config;
  const inputs = new GraphInputs(options);
  const pixels = inputs.take("pixel_values", "float32", [batch, channels, side, side]);
  const x = patches(cast(pixels, w.dtype), vision.at("embeddings"), config);
  // The checkpoints' own spelling.
  const normed = layerNorm(x, vision.at("pre_layrnorm"), config.normEpsilon);
  const states = clipLayers(normed, vision.at("encoder"), config, {
    count: config.layers,
    causal: false,
  });
  const first = squeeze(slice(states.at(-1)!, [0], [1], [1]), 1);
  const pooled = layerNorm(first, vision.at("post_layernorm"), config.normEpsilon);
  const embeds = linear(pooled, w.at("visual_projection"), config.projectionDim, { bias: false });
  return {
    name: "image_encoder",
    inputs: [...inputs.list(), ...w.parameters],
    outputs: {
      image_embeds: cast(embeds, "float32"),
      ...(options.penultimate ? { penultimate: cast(states.at(-2)!, "float32") } : {}),
      ...Object.fromEntries(
        (options.states ?? []).map((n) => [clipState(n), cast(states[n]!, "float32")]),
      ),
    },
    parameters: w.parameters,
    unexpected: w.unexpected((name) => /^(text_|logit_scale)/.test(name)),
  };
}

/** Patches as tokens after a class token, with their places: [B, 1 + patches, D]. */
function patches(
  pixels: Value,
  w: NetworkWeights,
  { hiddenSize, patchSize, imageSize }: ClipVisionConfig,
): Value {
  return scope(w.label, () => {
    const tokens = toSequence(
      conv2d(pixels, w.at("patch_embedding"), hiddenSize, {
        kernel: patchSize,
        stride: patchSize,
        padding: 0,
        bias: false,
      }),
    );
    const count = 1 + (imageSize / patchSize) ** 2;
    const classToken = reshape(w.tensor("class_embedding", [hiddenSize]), [1, 1, hiddenSize]);
    const one = slice(tokens, [0], [1], [1]);
    const all = concat([expandLike(classToken, one), tokens], 1);
    return add(all, w.tensor("position_embedding.weight", [count, hiddenSize]));
  });
}
