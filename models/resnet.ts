import { silu } from "../graph/ops/activation.ts";
import { add, mul } from "../graph/ops/arithmetic.ts";
import { unsqueeze } from "../graph/ops/movement.ts";
import { scope } from "../graph/scope.ts";
import type { Value } from "../graph/value.ts";
import { conv2d, groupNorm, linear } from "./layers.ts";
import type { NetworkWeights } from "./network_weights.ts";

/** Options of a residual block. */
export interface ResnetOptions {
  /** Channels of the result. */
  readonly channels: number;
  /** Groups of both group norms. */
  readonly groups: number;
  /** Epsilon of both group norms. */
  readonly epsilon: number;
  /** Timestep embedding after its activation [B, n]; the autoencoder has none. */
  readonly time?: Value;
  /** The sum is divided by this. Default 1. */
  readonly scale?: number;
}

/**
 * Residual block: x [B, c, h, w] to [B, channels, h, w] through two normalized, activated 3x3
 * convolutions, the timestep added between them (diffusers ResnetBlock2D).
 */
export function resnet(x: Value, w: NetworkWeights, options: ResnetOptions): Value {
  const { channels, groups, epsilon, time, scale = 1 } = options;
  return scope(w.label, () => {
    let h = conv2d(silu(groupNorm(x, w.at("norm1"), groups, epsilon)), w.at("conv1"), channels);
    if (time !== undefined) {
      h = add(h, unsqueeze(linear(time, w.at("time_emb_proj"), channels), [2, 3]));
    }
    h = conv2d(silu(groupNorm(h, w.at("norm2"), groups, epsilon)), w.at("conv2"), channels);
    const shortcut = x.shape[1] === channels
      ? x
      : conv2d(x, w.at("conv_shortcut"), channels, { kernel: 1 });
    const sum = add(shortcut, h);
    return scale === 1 ? sum : mul(sum, 1 / scale);
  });
}
