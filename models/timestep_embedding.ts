import { add, mul } from "../graph/ops/arithmetic.ts";
import { cast, cos, sin } from "../graph/ops/elementwise.ts";
import { silu } from "../graph/ops/activation.ts";
import { concat } from "../graph/ops/join.ts";
import { unsqueeze } from "../graph/ops/movement.ts";
import { scope } from "../graph/scope.ts";
import { constant, type Value } from "../graph/value.ts";
import { linear } from "./layers.ts";
import type { NetworkWeights } from "./network_weights.ts";

/** How timesteps become waves; from the U-Net's config. */
export interface SinusoidOptions {
  /** Cosines before sines. */
  readonly flipSinToCos: boolean;
  /** Taken from the number of frequencies in their spacing: 0 in Stable Diffusion. */
  readonly freqShift: number;
}

/**
 * Sinusoidal embedding of `t` [n] (float32, may be fractional): [n, dim] float32 of cosines and
 * sines of t * 10000^(-i / (dim/2 - shift)) ("Attention Is All You Need", arXiv:1706.03762, 3.5).
 * Throws RangeError for an odd `dim`.
 */
export function sinusoid(t: Value, dim: number, options: SinusoidOptions): Value {
  if (dim % 2 !== 0) {
    throw new RangeError(`Cannot embed timesteps: the width must be even; got ${dim}.`);
  }
  const half = dim / 2;
  // Rounded to float32 after each operation, as the models were trained.
  const frequencies = Float32Array.from(
    { length: half },
    (_, i) => Math.exp(Math.fround(Math.fround(-Math.log(10000) * i) / (half - options.freqShift))),
  );
  const angles = mul(unsqueeze(t, [1]), constant(frequencies, [1, half]));
  const waves = [cos(angles), sin(angles)];
  return concat(options.flipSinToCos ? waves : waves.reverse(), 1);
}

/**
 * The two-layer network over an embedding `x` [B, n]: [B, width]. `condition` [B, m] is projected
 * and added first (`cond_proj`, the guidance scale of distilled LCM models).
 */
export function embeddingMlp(
  x: Value,
  w: NetworkWeights,
  width: number,
  condition?: Value,
): Value {
  return scope(w.label, () => {
    const inner = x.shape[1] as number;
    const given = condition === undefined
      ? x
      : add(x, linear(condition, w.at("cond_proj"), inner, { bias: false }));
    const hidden = silu(linear(cast(given, w.dtype), w.at("linear_1"), width));
    return linear(hidden, w.at("linear_2"), width);
  });
}
