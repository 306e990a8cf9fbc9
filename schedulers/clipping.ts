/**
 * The one thing done to a denoised estimate that no weight can express: limiting its values.
 * @module
 */

/** Clamp to a fixed range, or to each picture's own quantile (dynamic thresholding). */
export type Clipping =
  | { readonly kind: "range"; readonly range: number }
  | { readonly kind: "dynamic"; readonly ratio: number; readonly max: number };

/**
 * Limits `denoised` (`[batch, n / batch]`) in place.
 *
 * "dynamic" is Saharia et al. 2022 (Imagen), section 2.3: clamp to s and divide by s, where s is
 * the `ratio` quantile of the absolute values, between 1 and `max`. It is meant for pixels; latents
 * have no fixed range.
 */
export function clip(denoised: Float32Array, clipping: Clipping, batch: number): void {
  if (clipping.kind === "range") {
    clamp(denoised, clipping.range);
    return;
  }
  const size = denoised.length / batch;
  for (let i = 0; i < batch; i++) {
    const picture = denoised.subarray(i * size, (i + 1) * size);
    const limit = Math.min(Math.max(quantileOfSize(picture, clipping.ratio), 1), clipping.max);
    clamp(picture, limit);
    for (let k = 0; k < size; k++) picture[k]! /= limit;
  }
}

function clamp(values: Float32Array, limit: number): void {
  for (let i = 0; i < values.length; i++) {
    values[i] = Math.min(Math.max(values[i]!, -limit), limit);
  }
}

/** Quantile of |values|, linear between the two nearest, as `torch.quantile` does in float32. */
function quantileOfSize(values: Float32Array, ratio: number): number {
  const sorted = values.map(Math.abs).sort();
  const position = Math.fround(Math.fround(ratio) * (sorted.length - 1));
  const low = sorted[Math.floor(position)]!;
  const high = sorted[Math.ceil(position)]!;
  return Math.fround(low + (position - Math.floor(position)) * (high - low));
}
