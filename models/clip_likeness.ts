/** How much a picture is like a text or another picture, as CLIP sees it; differentiable. */
import { add, div, mul, sub } from "../graph/ops/arithmetic.ts";
import { matMul } from "../graph/ops/linalg.ts";
import { unitLength } from "../graph/ops/normalization.ts";
import { reduceMean, reduceSum } from "../graph/ops/reduce.ts";
import { fixed } from "../graph/shape.ts";
import { constant, type Value } from "../graph/value.ts";
import { transposed } from "../weights/transposed.ts";

/** Mean of CLIP's training pictures, red, green and blue (openai/CLIP, clip.py). */
export const CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073] as const;
/** Their deviation. */
export const CLIP_DEVIATION = [0.26862954, 0.26130258, 0.27577711] as const;

/**
 * The middle square of pictures [B, 3, height, width] in -1..1 as the image encoder takes it:
 * [B, 3, side, side]. Every pixel counts: a smaller size averages, by a triangle as wide as needed.
 */
export function clipPixelValues(image: Value, side: number): Value {
  const [height, width] = [2, 3].map((axis) => fixed("clipPixelValues", image.shape, axis));
  const square = Math.min(height!, width!);
  const rows = resampling(height!, square, side), columns = resampling(width!, square, side);
  const tall = matMul(constant(rows, [side, height!]), image);
  return normalizedForClip(
    matMul(tall, constant(transposed(columns, width!), [width!, side])),
  );
}

/** Pixels [B, 3, height, width] in -1..1 as CLIP was trained on them: of mean 0 and deviation 1. */
export function normalizedForClip(pixels: Value): Value {
  const channels = (values: readonly number[]) =>
    constant(Float32Array.from(values), [1, values.length, 1, 1]);
  const shifted = sub(pixels, channels(CLIP_MEAN.map((mean) => 2 * mean - 1)));
  return div(shifted, channels(CLIP_DEVIATION.map((deviation) => 2 * deviation)));
}

/** Weights [to, all] that make the middle `of` places of `all` into `to`. */
function resampling(all: number, of: number, to: number): Float32Array {
  const weights = new Float32Array(to * all), scale = of / to, reach = Math.max(scale, 1);
  const start = (all - of) >> 1;
  for (let i = 0; i < to; i++) {
    const center = (i + 0.5) * scale - 0.5;
    const row = Float64Array.from(
      { length: of },
      (_, x) => Math.max(0, 1 - Math.abs(x - center) / reach),
    );
    const sum = row.reduce((a, b) => a + b);
    row.forEach((weight, x) => weights[i * all + start + x] = weight / sum);
  }
  return weights;
}

/** The mean cosine of vectors [..., D] with others of the same shape, a scalar. */
export function meanCosine(a: Value, b: Value): Value {
  return reduceMean(reduceSum(mul(unitLength(a), unitLength(b)), { axes: [a.shape.length - 1] }));
}

/**
 * How alike two pictures look: the mean cosine of what a network makes of each place, over some of
 * its layers. The perceptual distance of Zhang et al. 2018 (arXiv:1801.03924), without its learned
 * weights, is two minus two of it.
 */
export function likeness(features: readonly Value[], wanted: readonly Value[]): Value {
  const each = features.map((layer, i) => meanCosine(layer, wanted[i]!));
  return div(each.reduce((sum, one) => add(sum, one)), each.length);
}
