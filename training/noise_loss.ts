/**
 * What a diffusion network is trained on: a clean picture is mixed with noise, and the network says
 * what was mixed (Ho et al. 2020, arXiv:2006.11239). The mixing and the loss are one graph.
 */
import { add, mul, sub } from "../graph/ops/arithmetic.ts";
import { reshape } from "../graph/ops/movement.ts";
import { reduceMean } from "../graph/ops/reduce.ts";
import { type Dim, fixed } from "../graph/shape.ts";
import { input, type Value } from "../graph/value.ts";
import type { NoiseTable } from "../schedulers/noise_table.ts";
import type { Prediction } from "../schedulers/plan.ts";
import { squaredErrorByExample } from "./losses.ts";

/** What a batch is made of; all float32. */
export interface NoisyBatch {
  /** Clean latents [B, C, h, w], scaled as the U-Net has them. */
  readonly latents: Value;
  /** N(0, I), as large. */
  readonly noise: Value;
  /** Weight of the clean latents in the mix, [B]. */
  readonly signal: Value;
  /** Weight of the noise in the mix, [B]. */
  readonly sigma: Value;
  /** Weight of each example in the loss, [B]. */
  readonly weight: Value;
}

/** The inputs of a graph that trains on batches of `shape` [B, C, h, w]. */
export function noisyBatch(shape: readonly [number, number, number, number]): NoisyBatch {
  const [batch] = shape;
  return {
    latents: input("latents", "float32", shape),
    noise: input("noise", "float32", shape),
    signal: input("signal", "float32", [batch]),
    sigma: input("sigma", "float32", [batch]),
    weight: input("weight", "float32", [batch]),
  };
}

/** The mix that the network sees: signal * latents + sigma * noise. */
export function mixed({ latents, noise, signal, sigma }: NoisyBatch): Value {
  return add(mul(latents, perExample(signal, latents)), mul(noise, perExample(sigma, noise)));
}

/**
 * The weighted mean of squared errors of what the network says: the noise (epsilon), the velocity
 * signal * noise - sigma * latents (Salimans & Ho 2022, arXiv:2202.00512), the clean latents
 * (sample), or noise - latents (flow).
 */
export function noiseLoss(said: Value, batch: NoisyBatch, prediction: Prediction): Value {
  const errors = squaredErrorByExample(said, target(batch, prediction));
  return reduceMean(mul(errors, batch.weight));
}

function target({ latents, noise, signal, sigma }: NoisyBatch, prediction: Prediction): Value {
  switch (prediction) {
    case "epsilon":
      return noise;
    case "v_prediction":
      return sub(mul(noise, perExample(signal, noise)), mul(latents, perExample(sigma, latents)));
    case "sample":
      return latents;
    case "flow_prediction":
      return sub(noise, latents);
  }
}

/** [B] as [B, 1, 1, 1], to multiply the examples of `like`. */
function perExample(x: Value, like: Value): Value {
  const ones = like.shape.slice(1).map(() => 1);
  return reshape(x, [fixed("perExample", x.shape, 0), ...ones] as Dim[]);
}

/**
 * The loss weight of a timestep, so that no level of noise pulls harder than the others: min(SNR,
 * gamma) over what the prediction already weighs by (Hang et al. 2023, arXiv:2303.09556): SNR for
 * epsilon, SNR + 1 for v, 1 for the sample. Without `gamma`: 1.
 */
export function snrWeight(
  table: NoiseTable,
  timestep: number,
  prediction: Prediction,
  gamma?: number,
): number {
  if (gamma === undefined || prediction === "flow_prediction") return 1;
  const signal = table.alphasCumprod[timestep]!, snr = signal / (1 - signal);
  const capped = Math.min(snr, gamma);
  if (prediction === "sample") return capped;
  // Zero terminal SNR: epsilon says nothing there, and the ratio's limit is 1.
  if (prediction === "epsilon") return snr === 0 ? 1 : capped / snr;
  return capped / (snr + 1);
}
