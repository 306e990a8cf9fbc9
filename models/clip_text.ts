import { add, equal, less, max, min, sub, where } from "../graph/ops/arithmetic.ts";
import { cast } from "../graph/ops/elementwise.ts";
import { gather } from "../graph/ops/indexing.ts";
import { squeeze, unsqueeze } from "../graph/ops/movement.ts";
import { matMul } from "../graph/ops/linalg.ts";
import { argMax } from "../graph/ops/reduce.ts";
import { scope } from "../graph/scope.ts";
import type { Dim } from "../graph/shape.ts";
import { constant, type Value } from "../graph/value.ts";
import type { TensorSource } from "../weights/stored_tensor.ts";
import type { ClipTextConfig } from "./clip_config.ts";
import { clipLayers } from "./clip_layers.ts";
import { GraphInputs } from "./graph_inputs.ts";
import type { GraphModel, ModelOptions } from "./graph_model.ts";
import { layerNorm, linear } from "./layers.ts";
import { NetworkWeights } from "./network_weights.ts";

const PROJECTION = "text_projection.weight";

/** Sizes of a text encoder graph. */
export interface TextShape {
  /** Prompts at once; a name makes it variable. */
  readonly batch: Dim;
  /** Tokens of each, start and end included; at most `config.positions`. */
  readonly sequence: number;
}

/** What a text encoder computes, and from what. */
export interface ClipTextOptions extends ModelOptions {
  /**
   * Which state becomes `hidden_states`, counted from the end: "last" or -1 is the last layer's,
   * -2 the one before (SDXL, "clip skip" 1), down to the embeddings.
   */
  readonly hiddenState?: "last" | number;
  /** Whether `hidden_states` pass the final layer norm: true for SD 1 and 2, false for SDXL. */
  readonly finalLayerNorm?: boolean;
  /** Whether to compute `pooled`. Default: where the model has a projection. */
  readonly pooled?: boolean;
  /**
   * Number of further tokens, of ids from `config.vocabSize`: their embeddings are the input
   * `token_embeddings` [n, D], so textual inversions need no change of the weights.
   */
  readonly extraTokens?: number;
}

/**
 * CLIP's text encoder (transformers CLIPTextModel and CLIPTextModelWithProjection). Input:
 * `input_ids` int64 [B, S]. Outputs: `hidden_states` [B, S, D]; `pooled`: the state of the first
 * end token after all layers and the final norm, [B, D], projected to [B, P] where the model has a
 * projection. Throws ModelFormatError when the weights do not fit the config, RangeError for a
 * sequence or layer that the model does not have.
 */
export function clipTextModel(
  config: ClipTextConfig,
  source: TensorSource,
  shape: TextShape,
  options: ClipTextOptions = {},
): GraphModel {
  const w = NetworkWeights.of("the text encoder", source, options);
  const projected = config.projected ?? w.has(PROJECTION);
  const { hiddenState = "last", finalLayerNorm = true, pooled = projected } = options;
  const chosen = config.layers + 1 + (hiddenState === "last" ? -1 : hiddenState);
  if (!Number.isInteger(chosen) || chosen < 0 || chosen > config.layers) {
    throw new RangeError(
      `Cannot build the text encoder: it has no hidden state ${hiddenState}; ` +
        `expected "last" or ${-config.layers - 1}..-1.`,
    );
  }
  const text = w.at("text_model");
  const inputs = new GraphInputs(options);
  const ids = inputs.take("input_ids", "int64", [shape.batch, shape.sequence]);
  const x = embeddings(config, text.at("embeddings"), ids, inputs, shape, options);
  const states = clipLayers(cast(x, w.dtype), text.at("encoder"), config, {
    count: pooled ? config.layers : chosen,
    causal: true,
  });
  const normed = (value: Value) =>
    layerNorm(value, text.at("final_layer_norm"), config.normEpsilon);
  const hidden = finalLayerNorm ? normed(states[chosen]!) : states[chosen]!;
  const outputs: Record<string, Value> = { hidden_states: cast(hidden, "float32") };
  if (pooled) {
    const last = finalLayerNorm && chosen === config.layers ? hidden : normed(states.at(-1)!);
    outputs.pooled = cast(pool(last, ids, w, { ...config, projected }), "float32");
  }
  return {
    name: "text_encoder",
    inputs: [...inputs.list(), ...w.parameters],
    outputs,
    parameters: w.parameters,
    unexpected: w.unexpected((name) => isOfTheTop(name, config)),
  };
}

/** Weights that a graph of an earlier state, or without `pooled`, leaves out on purpose. */
function isOfTheTop(name: string, config: ClipTextConfig): boolean {
  const layer = /(?:^|\.)encoder\.layers\.(\d+)\./.exec(name)?.[1];
  if (layer !== undefined) return Number(layer) < config.layers;
  return /(^|\.)final_layer_norm\./.test(name) ||
    (config.projected !== false && name === PROJECTION);
}

/** Token and position embeddings, summed: [B, S, D]. */
function embeddings(
  { vocabSize, hiddenSize, positions }: ClipTextConfig,
  w: NetworkWeights,
  ids: Value,
  inputs: GraphInputs,
  { sequence }: TextShape,
  { extraTokens = 0 }: ClipTextOptions,
): Value {
  if (sequence > positions) {
    throw new RangeError(
      `Cannot build the text encoder: the sequence is too long; ` +
        `got ${sequence} tokens, expected at most ${positions}. Encode the prompt in chunks.`,
    );
  }
  return scope(w.label, () => {
    const table = w.tensor("token_embedding.weight", [vocabSize, hiddenSize]);
    const places = gather(
      w.tensor("position_embedding.weight", [positions, hiddenSize]),
      constant(BigInt64Array.from({ length: sequence }, (_, i) => BigInt(i)), [1, sequence]),
      0,
    );
    if (extraTokens === 0) return add(gather(table, ids, 0), places);
    const extra = inputs.take("token_embeddings", "float32", [extraTokens, hiddenSize]);
    // Each table is asked for a row that it has; the other's answer is then thrown away.
    const known = gather(table, min(ids, vocabSize - 1), 0);
    const added = gather(cast(extra, w.dtype), max(sub(ids, vocabSize), 0), 0);
    const isKnown = unsqueeze(less(ids, vocabSize), [2]);
    return add(where(isKnown, known, added), places);
  });
}

/**
 * The state of each row's first end token, projected where the model projects. `argMax` is 0 for a
 * row without one, as in transformers. The row is picked by a product with a one-hot vector, which
 * is exact, works for a variable batch and has a derivative.
 */
function pool(states: Value, ids: Value, w: NetworkWeights, config: ClipTextConfig): Value {
  return scope("pooled", () => {
    const sequence = ids.shape[1] as number;
    const end = argMax(cast(equal(ids, config.endToken), "int32"), 1, { keepDims: true });
    const places = constant(BigInt64Array.from({ length: sequence }, (_, i) => BigInt(i)), [
      1,
      sequence,
    ]);
    const chosen = unsqueeze(cast(equal(end, places), states.dtype), [1]);
    const pooled = squeeze(matMul(chosen, states), 1);
    if (!config.projected) return pooled;
    return linear(pooled, w.at("text_projection"), config.projectionDim, { bias: false });
  });
}
