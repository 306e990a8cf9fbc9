/** What the trained nets are for: reading digits, and making them out of noise. */
import { grad } from "../graph/grad.ts";
import { reduceSum } from "../graph/ops/reduce.ts";
import { input, type Value } from "../graph/value.ts";
import type { SessionBuilder } from "../pipeline/session_builder.ts";
import { TorchCpuGenerator } from "../schedulers/random/torch_cpu.ts";
import { Computation } from "./computation.ts";
import { DIGIT_SIZE, type Digits } from "./digits_data.ts";
import {
  digitClassifier,
  digitLikeness,
  pictureInput,
  pixelDenoiser,
  PIXELS,
  Weights,
} from "./digits_nets.ts";
import { NOISE_LEVELS, type Trained } from "./digits_training.ts";

/** The digit that the classifier reads in each picture. */
export async function readDigits(
  builder: SessionBuilder,
  trained: Trained,
  pixels: Float32Array,
): Promise<number[]> {
  const count = pixels.length / DIGIT_SIZE;
  const logits = digitClassifier(pictureInput(count), new Weights(0));
  using computation = await Computation.build(builder, { logits });
  const { logits: said } = await computation.run({ pictures: pixels }, trained);
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

/** Pictures with noise of a level, as a network is fed them. */
function feeds(pictures: Float32Array, level: number) {
  return { pictures, level: new Float32Array(pictures.length / DIGIT_SIZE).fill(level) };
}

function levelInput(count: number): Value {
  return input("level", "float32", [count]);
}

/**
 * The derivative by backpropagation: one run, whatever the number of pixels. `level` is the deviation
 * of the noise that the judge is to reckon with.
 */
export async function pixelGradient(
  builder: SessionBuilder,
  trained: Trained,
  pictures: Float32Array,
  level: number,
): Promise<PixelGradient> {
  using computation = await slopeComputation(builder, pictures.length / DIGIT_SIZE);
  return await computation.run(feeds(pictures, level), trained);
}

function slopeComputation(builder: SessionBuilder, count: number) {
  const pictures = pictureInput(count);
  const likeness = digitLikeness(pictures, levelInput(count), new Weights(0));
  const [gradient] = grad(reduceSum(likeness), [pictures]);
  return Computation.build(builder, { likeness, gradient: gradient! });
}

/**
 * The same for one picture by central differences: every pixel is moved up and down by `step`, and
 * the judge asked 1568 times.
 */
export async function finiteDifferences(
  builder: SessionBuilder,
  trained: Trained,
  picture: Float32Array,
  level: number,
  step = 0.05,
): Promise<Float32Array> {
  const count = 2 * DIGIT_SIZE, moved = new Float32Array(count * DIGIT_SIZE);
  for (let i = 0; i < count; i++) {
    moved.set(picture, i * DIGIT_SIZE);
    moved[i * DIGIT_SIZE + (i >> 1)]! += i % 2 === 0 ? step : -step;
  }
  const likeness = digitLikeness(pictureInput(count), levelInput(count), new Weights(0));
  using computation = await Computation.build(builder, { likeness });
  const { likeness: said } = await computation.run(feeds(moved, level), trained);
  return Float32Array.from(
    { length: DIGIT_SIZE },
    (_, i) => (said[2 * i]! - said[2 * i + 1]!) / (2 * step),
  );
}

/** Pictures on their way from noise. */
export interface Ascent {
  /** Float32Array [count, 28, 28]. */
  readonly pictures: Float32Array;
  /** Where the slope points from there: the digits that the judge sees behind the noise. */
  readonly seen: Float32Array;
  /** Deviation of the noise that is left. */
  readonly level: number;
}

/**
 * Follows the slope uphill from noise of the highest level: every step goes a part of the way that it
 * points, so that a little less noise is left, three tenths of it fresh (Song & Ermon 2019,
 * arXiv:1907.05600). The last picture is where the slope points at the end.
 */
export async function* climb(
  builder: SessionBuilder,
  trained: Trained,
  { count, seed, steps = 30 }: {
    readonly count: number;
    readonly seed: number | bigint;
    readonly steps?: number;
  },
): AsyncGenerator<Ascent, void, void> {
  using computation = await slopeComputation(builder, count);
  const { least, most } = NOISE_LEVELS, random = new TorchCpuGenerator(seed);
  let pictures = random.normal(count * DIGIT_SIZE).map((z) => most * z + PIXELS.mean);
  for (let i = 0; i < steps; i++) {
    const level = levelAt(i / (steps - 1), least, most);
    const { gradient } = await computation.run(feeds(pictures, level), trained);
    const seen = pictures.map((x, k) => Math.max(-1, Math.min(1, x + gradient[k]!)));
    yield { pictures, seen, level };
    const next = i + 1 < steps ? levelAt((i + 1) / (steps - 1), least, most) : 0;
    const fresh = random.normal(pictures.length);
    pictures = pictures.map((x, k) => {
      const noise = (x - seen[k]!) / level;
      return seen[k]! + next * (Math.sqrt(0.7) * noise + Math.sqrt(0.3) * fresh[k]!);
    });
  }
  yield { pictures, seen: pictures, level: 0 };
}

/** From the most noise to the least, in ever smaller steps. */
function levelAt(share: number, least: number, most: number): number {
  return (Math.cbrt(most) + share * (Math.cbrt(least) - Math.cbrt(most))) ** 3;
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
  const count = noise.length / DIGIT_SIZE;
  const said = pixelDenoiser(pictureInput(count), levelInput(count), new Weights(0));
  using computation = await Computation.build(builder, { said });
  let pictures = noise.slice();
  for (let i = 0; i < steps; i++) {
    // The signal rises evenly from nearly nothing to one.
    const share = Math.max(i / steps, 0.02), next = (i + 1) / steps;
    const sigma = Math.sqrt(1 - share * share), nextSigma = Math.sqrt(1 - next * next);
    const { said } = await computation.run(feeds(pictures, sigma), trained);
    pictures = pictures.map((pixel, k) => {
      const clean = Math.min(1, Math.max(-1, (pixel - sigma * said[k]!) / share));
      return next * clean + nextSigma * (pixel - share * clean) / sigma;
    });
  }
  return pictures;
}
