import { gelu, quickGelu } from "../graph/ops/activation.ts";
import { add } from "../graph/ops/arithmetic.ts";
import { multiHeadAttention } from "../graph/ops/attention.ts";
import { scope } from "../graph/scope.ts";
import type { Value } from "../graph/value.ts";
import type { ClipTowerConfig } from "./clip_config.ts";
import { layerNorm, linear } from "./layers.ts";
import type { NetworkWeights } from "./network_weights.ts";

/**
 * The transformer of either CLIP tower (arXiv:2103.00020): the states after each of the first
 * `count` layers, `x` [B, S, D] itself first. `causal`: tokens see only those before them.
 */
export function clipLayers(
  x: Value,
  w: NetworkWeights,
  config: ClipTowerConfig,
  { count, causal }: { count: number; causal: boolean },
): Value[] {
  const states = [x];
  for (let i = 0; i < count; i++) {
    states.push(clipLayer(states[i]!, w.at(`layers.${i}`), config, causal));
  }
  return states;
}

function clipLayer(
  x: Value,
  w: NetworkWeights,
  config: ClipTowerConfig,
  causal: boolean,
): Value {
  return scope(w.label, () => {
    const norm = (value: Value, step: string) => layerNorm(value, w.at(step), config.normEpsilon);
    const h = add(x, selfAttention(norm(x, "layer_norm1"), w.at("self_attn"), config, causal));
    return add(h, mlp(norm(h, "layer_norm2"), w.at("mlp"), config));
  });
}

function selfAttention(
  x: Value,
  w: NetworkWeights,
  { hiddenSize, heads }: ClipTowerConfig,
  causal: boolean,
): Value {
  return scope(w.label, () => {
    const project = (step: string) => linear(x, w.at(step), hiddenSize);
    const y = multiHeadAttention(project("q_proj"), project("k_proj"), project("v_proj"), {
      heads,
      causal,
    });
    return linear(y, w.at("out_proj"), hiddenSize);
  });
}

function mlp(x: Value, w: NetworkWeights, config: ClipTowerConfig): Value {
  const activate = config.activation === "gelu" ? gelu : quickGelu;
  return scope(w.label, () => {
    const hidden = activate(linear(x, w.at("fc1"), config.intermediateSize));
    return linear(hidden, w.at("fc2"), config.hiddenSize);
  });
}
