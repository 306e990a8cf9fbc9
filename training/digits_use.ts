/** What the trained nets are for: reading digits, and making them out of noise. */
import { grad } from "../graph/grad.ts";
import { reduceSum } from "../graph/ops/reduce.ts";
import { input } from "../graph/value.ts";
import type { SessionBuilder } from "../pipeline/session_builder.ts";
import { DIGIT_SIZE, type Digits } from "./digits_data.ts";
import {
  digitClassifier,
  digitLikeness,
  pictureInput,
  pixelDenoiser,
  Weights,
} from "./digits_nets.ts";
import type { Trained } from "./digits_training.ts";
import { Evaluator } from "./evaluator.ts";

/** The digit that the classifier reads in each picture. */
export async function readDigits(
  builder: SessionBuilder,
  trained: Trained,
  pixels: Float32Array,
): Promise<number[]> {
  const count = pixels.length / DIGIT_SIZE;
  const logits = digitClassifier(pictureInput(count), new Weights(0));
  using evaluator = await Evaluator.create(builder, { logits });
  const { logits: said } = await evaluator.run({ pictures: pixels }, trained);
  return Array.from({ length: count }, (_, i) => {
    const row = said.subarray(10 * i, 10 * i + 10);
    return row.indexOf(Math.max(...row));
  });
}

/** The share of pictures that the classifier reads right. */
export async function classifierAccuracy(
  builder: SessionBuilder,
  trained: Trained,
  { pixels, labels }: Digits,
): Promise<number> {
  const read = await readDigits(builder, trained, pixels);
  return read.filter((digit, i) => digit === labels[i]).length / labels.length;
}

/** How digit-like pictures are, and how that changes with each pixel. */
export interface PixelGradient {
  /** [count] */
  readonly likeness: Float32Array;
  /** As large as the pictures. */
  readonly gradient: Float32Array;
}

/** The derivative by backpropagation: one run, whatever the number of pixels. */
export async function pixelGradient(
  builder: SessionBuilder,
  trained: Trained,
  pictures: Float32Array,
): Promise<PixelGradient> {
  using evaluator = await gradientEvaluator(builder, pictures.length / DIGIT_SIZE);
  return await evaluator.run({ pictures }, trained);
}

function gradientEvaluator(builder: SessionBuilder, count: number) {
  const pictures = pictureInput(count), likeness = digitLikeness(pictures, new Weights(0));
  const [gradient] = grad(reduceSum(likeness), [pictures]);
  return Evaluator.create(builder, { likeness, gradient: gradient! });
}

/**
 * The same for one picture by central differences: every pixel is moved up and down by `step`, and
 * the judge asked 1568 times.
 */
export async function finiteDifferences(
  builder: SessionBuilder,
  trained: Trained,
  picture: Float32Array,
  step = 0.05,
): Promise<Float32Array> {
  const moved = new Float32Array(2 * DIGIT_SIZE * DIGIT_SIZE);
  for (let i = 0; i < 2 * DIGIT_SIZE; i++) {
    moved.set(picture, i * DIGIT_SIZE);
    moved[i * DIGIT_SIZE + (i >> 1)]! += i % 2 === 0 ? step : -step;
  }
  const likeness = digitLikeness(pictureInput(2 * DIGIT_SIZE), new Weights(0));
  using evaluator = await Evaluator.create(builder, { likeness });
  const { likeness: said } = await evaluator.run({ pictures: moved }, trained);
  return Float32Array.from(
    { length: DIGIT_SIZE },
    (_, i) => (said[2 * i]! - said[2 * i + 1]!) / (2 * step),
  );
}

/** A picture on its way from noise, with what the judge says of it. */
export interface Ascent {
  /** Float32Array [28, 28]. */
  readonly picture: Float32Array;
  readonly likeness: number;
}

/**
 * Follows the pixel gradient uphill until the judge sees as much digit as in a digit; every picture
 * is yielded, the first as it was given. Beyond that the judge has seen nothing, and knows nothing.
 */
export async function* climb(
  builder: SessionBuilder,
  trained: Trained,
  start: Float32Array,
  { steps = 200, rate = 0.2, enough = 1 } = {},
): AsyncGenerator<Ascent, void, void> {
  using evaluator = await gradientEvaluator(builder, 1);
  let picture = start.slice();
  for (let i = 0; i <= steps; i++) {
    const { likeness, gradient } = await evaluator.run({ pictures: picture }, trained);
    yield { picture, likeness: likeness[0]! };
    if (likeness[0]! >= enough) return;
    // A step of one length for any gradient: far from digits the judge is nearly flat.
    const length = Math.hypot(...gradient) || 1;
    picture = picture.map((pixel, k) =>
      Math.min(1, Math.max(-1, pixel + rate * gradient[k]! / length))
    );
  }
}

/**
 * Pictures from noise by the denoiser, in DDIM's steps (Song et al. 2020, arXiv:2010.02502): guess
 * the clean picture, and mix it again with a little less of the noise.
 */
export async function denoiseDigits(
  builder: SessionBuilder,
  trained: Trained,
  noise: Float32Array,
  steps = 20,
): Promise<Float32Array> {
  const count = noise.length / DIGIT_SIZE, level = input("level", "float32", [count]);
  const said = pixelDenoiser(pictureInput(count), level, new Weights(0));
  using evaluator = await Evaluator.create(builder, { said });
  let pictures = noise.slice();
  for (let i = 0; i < steps; i++) {
    // The signal rises evenly from nearly nothing to one.
    const share = Math.max(i / steps, 0.02), next = (i + 1) / steps;
    const sigma = Math.sqrt(1 - share * share), nextSigma = Math.sqrt(1 - next * next);
    const feeds = { pictures, level: new Float32Array(count).fill(sigma) };
    const { said } = await evaluator.run(feeds, trained);
    pictures = pictures.map((pixel, k) => {
      const clean = Math.min(1, Math.max(-1, (pixel - sigma * said[k]!) / share));
      return next * clean + nextSigma * (pixel - share * clean) / sigma;
    });
  }
  return pictures;
}
