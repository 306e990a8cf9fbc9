import { imageSize } from "./guidance.ts";

const f = Math.fround;

/** Settings of {@linkcode dynamicThreshold}, named as in a scheduler_config.json. */
export interface ThresholdOptions {
  /** `dynamic_thresholding_ratio`: the quantile of absolute values that becomes 1. Default 0.995. */
  readonly ratio?: number;
  /** `sample_max_value`: the largest threshold. Default 1. */
  readonly maximum?: number;
  /** Images in the batch. Default 1. */
  readonly images?: number;
}

/**
 * Dynamic thresholding: clips each clean image at a high quantile of its own values and divides by
 * it, against saturation at large guidance scales (Saharia et al., arXiv:2205.11487, Imagen).
 *
 * Made for models of pixels; latents have no fixed range. In place; returns `denoised`.
 */
export function dynamicThreshold(
  denoised: Float32Array,
  options: ThresholdOptions = {},
): Float32Array {
  const { ratio = 0.995, maximum = 1, images = 1 } = options;
  const size = imageSize("threshold", denoised, images);
  for (let start = 0; start < denoised.length; start += size) {
    const image = denoised.subarray(start, start + size);
    const quantile = quantileOf(image.map(Math.abs).sort(), ratio);
    const limit = f(Math.min(Math.max(quantile, 1), maximum));
    for (let i = 0; i < size; i++) image[i] = Math.min(Math.max(image[i]!, -limit), limit) / limit;
  }
  return denoised;
}

/** torch.quantile of float32 values in rising order: a float64 rank, a float32 interpolation. */
function quantileOf(sorted: Float32Array, ratio: number): number {
  const rank = f(ratio) * (sorted.length - 1);
  const below = sorted[Math.floor(rank)]!, above = sorted[Math.ceil(rank)]!;
  const weight = f(rank - Math.floor(rank)), gap = f(above - below);
  return weight < 0.5 ? f(weight * gap + below) : f(above - gap * f(1 - weight));
}
