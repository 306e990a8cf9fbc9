import { assertSameSize, imageSize } from "./guidance.ts";

const f = Math.fround;

/** What Perp-Neg needs in one step. */
export interface NegativePredictions {
  /** The prediction for the prompt. */
  readonly cond: Float32Array;
  /** The prediction for the negative prompt. */
  readonly negative: Float32Array;
  /** The prediction for the empty prompt. */
  readonly empty: Float32Array;
}

/**
 * Perp-Neg: takes from the negative prompt only what is perpendicular to the prompt, so that the
 * two never cancel (Armandpour et al., arXiv:2304.04968).
 *
 * `empty + scale * (p - weight * (n - (n.p / p.p) p))` with p and n relative to the empty prompt, for each
 * image by itself. Writes to `out`, by default over `empty`, and returns it.
 */
export function perpendicularNegativeGuidance(
  { cond, negative, empty }: NegativePredictions,
  options: { readonly scale: number; readonly weight?: number; readonly images?: number },
  out: Float32Array = empty,
): Float32Array {
  const { scale, weight = 1, images = 1 } = options;
  assertSameSize("guide with Perp-Neg", empty, cond, negative, out);
  const size = imageSize("guide with Perp-Neg", empty, images);
  for (let start = 0; start < out.length; start += size) {
    const end = start + size;
    let dot = 0, square = 0;
    for (let i = start; i < end; i++) {
      const p = cond[i]! - empty[i]!;
      dot += p * (negative[i]! - empty[i]!);
      square += p * p;
    }
    const along = square > 0 ? dot / square : 0;
    for (let i = start; i < end; i++) {
      const base = empty[i]!, p = cond[i]! - base;
      out[i] = base + scale * (p - weight * (negative[i]! - base - along * p));
    }
  }
  return out;
}

/** Settings of {@linkcode projectedGuidance}. */
export interface ProjectedGuidanceOptions {
  /** As in classifier-free guidance: 1 is the prompt alone. */
  readonly scale: number;
  /** How much of the change along the prompt's prediction stays: 0 none, 1 all. Default 1. */
  readonly eta?: number;
  /** The longest change of one image; 0, the default, sets no limit. */
  readonly normThreshold?: number;
  /** Images in the batch. Default 1. */
  readonly images?: number;
  /** The running sum of changes from {@linkcode GuidanceMomentum}, kept from step to step. */
  readonly momentum?: GuidanceMomentum;
}

/** The running sum of guidance directions; negative factors (-0.5) push away from recent ones. */
export class GuidanceMomentum {
  #sum: Float32Array | undefined;

  /** `factor` weighs the sum so far when the next direction comes. */
  constructor(readonly factor: number) {}

  /** sum = direction + factor * sum, float32; writes the new sum over `direction` too. */
  update(direction: Float32Array): void {
    const sum = this.#sum;
    if (sum === undefined) {
      this.#sum = direction.slice();
      return;
    }
    assertSameSize("keep momentum", sum, direction);
    const factor = f(this.factor);
    for (let i = 0; i < sum.length; i++) sum[i] = direction[i]! + f(factor * sum[i]!);
    direction.set(sum);
  }
}

/**
 * Adaptive projected guidance: limits the length of the guidance direction and weakens its part
 * along the prompt's prediction, which is what oversaturates pictures (Sadat et al.,
 * arXiv:2410.02416; diffusers' normalized_guidance).
 *
 * Writes over `uncond` and returns it.
 */
export function projectedGuidance(
  uncond: Float32Array,
  cond: Float32Array,
  options: ProjectedGuidanceOptions,
): Float32Array {
  const { scale, eta = 1, normThreshold = 0, images = 1, momentum } = options;
  assertSameSize("guide with projection", uncond, cond);
  const size = imageSize("guide with projection", uncond, images);
  const direction = cond.map((x, i) => x - uncond[i]!);
  momentum?.update(direction);
  for (let start = 0; start < uncond.length; start += size) {
    const end = start + size;
    if (normThreshold > 0) shorten(direction, start, end, normThreshold);
    let dot = 0, square = 0;
    for (let i = start; i < end; i++) {
      dot += direction[i]! * cond[i]!;
      square += cond[i]! ** 2;
    }
    const along = square > 0 ? dot / square : 0;
    const s = f(scale), e = f(eta);
    for (let i = start; i < end; i++) {
      const parallel = along * cond[i]!;
      const update = f(f(direction[i]! - parallel) + f(e * f(parallel)));
      uncond[i] = uncond[i]! + f(s * update);
    }
  }
  return uncond;
}

/** Scales a range of `data` down to the Euclidean length `limit` where it is longer. */
function shorten(data: Float32Array, start: number, end: number, limit: number): void {
  let square = 0;
  for (let i = start; i < end; i++) square += data[i]! ** 2;
  const factor = f(f(limit) / f(Math.sqrt(square)));
  if (factor < 1) { for (let i = start; i < end; i++) data[i]! *= factor; }
}
