/** The lesson's networks trained on digits: a classifier, a judge of likeness, a denoiser. */
import { grad } from "../graph/grad.ts";
import { mul, sub } from "../graph/ops/arithmetic.ts";
import { reshape } from "../graph/ops/movement.ts";
import { reduceMean, reduceSum } from "../graph/ops/reduce.ts";
import { input, type Value } from "../graph/value.ts";
import type { SessionBuilder } from "../pipeline/session_builder.ts";
import { TorchCpuGenerator } from "../schedulers/random/torch_cpu.ts";
import { derivedSeed } from "./derived_seed.ts";
import { DIGIT_SIZE, type Digits, pick } from "./digits_data.ts";
import {
  digitClassifier,
  digitLikeness,
  pictureInput,
  pixelDenoiser,
  PIXELS,
  Weights,
} from "./digits_nets.ts";
import { oneCycleRate } from "./learning_rate.ts";
import { crossEntropy, meanSquaredError } from "./losses.ts";
import { adamw } from "./optimizers.ts";
import { type Batch, Trainer } from "./trainer.ts";
import { trainingStep } from "./training_step.ts";

/** How a net is trained; the defaults take seconds. */
export interface DigitTraining {
  readonly builder: SessionBuilder;
  readonly digits: Digits;
  /** Default 300. */
  readonly steps?: number;
  /** Pictures in a batch. Default 64. */
  readonly batch?: number;
  /** Highest learning rate, of a one-cycle schedule. Default 3e-3. */
  readonly rate?: number;
  /** Default 0. */
  readonly seed?: number;
  /** Told of every step. */
  readonly onStep?: (step: number, loss: number) => void;
  readonly signal?: AbortSignal;
}

/** Trained weights, by name. */
export type Trained = ReadonlyMap<string, Float32Array>;

/** Trains the classifier by cross-entropy. */
export function trainClassifier(options: DigitTraining): Promise<Trained> {
  const { batch = 64, seed = 0 } = options, weights = new Weights(seed);
  const labels = input("labels", "int64", [batch]);
  const loss = crossEntropy(digitClassifier(pictureInput(batch), weights), labels);
  return run(options, weights, loss, ({ pixels, labels }) => ({
    pictures: pixels,
    labels: BigInt64Array.from(labels, BigInt),
  }));
}

/** The least and the most noise that the judge is shown. */
export const NOISE_LEVELS = { least: 0.35, most: 4 } as const;

/**
 * Trains the judge by its slope: at a digit with noise, the slope is to lead back to the digit (denoising
 * score matching; Vincent 2011, doi:10.1162/NECO_a_00142). So the step differentiates a derivative.
 */
export function trainLikeness(options: DigitTraining): Promise<Trained> {
  const { batch = 64, seed = 0 } = options, weights = new Weights(seed);
  const pictures = pictureInput(batch), digits = pictureInput(batch, "digits");
  const level = input("level", "float32", [batch]), scale = input("scale", "float32", [batch]);
  const [slope] = grad(reduceSum(digitLikeness(pictures, level, weights)), [pictures]);
  const error = mul(sub(slope!, sub(digits, pictures)), reshape(scale, [batch, 1, 1, 1]));
  const loss = reduceMean(mul(error, error));
  const { least, most } = NOISE_LEVELS;
  return run({ rate: 4e-3, ...options }, weights, loss, ({ pixels }, random) => {
    const level = random.uniform(batch).map((u) => least * (most / least) ** u);
    const noise = random.normal(pixels.length);
    const pictures = pixels.map((x, i) => x + level[Math.floor(i / DIGIT_SIZE)]! * noise[i]!);
    // What cannot be known is larger where there is more noise: errors count relative to that.
    const scale = level.map((s) => Math.hypot(1 / s, 1 / PIXELS.deviation));
    return { pictures, digits: pixels, level, scale };
  });
}

/** Trains the denoiser to say the noise in digits that hold any share of it. */
export function trainDenoiser(options: DigitTraining): Promise<Trained> {
  const { batch = 64, seed = 0 } = options, weights = new Weights(seed);
  const level = input("level", "float32", [batch]);
  const noise = pictureInput(batch, "noise");
  const loss = meanSquaredError(pixelDenoiser(pictureInput(batch), level, weights), noise);
  return run(options, weights, loss, ({ pixels }, random) => {
    const share = random.uniform(batch);
    const level = share.map((s) => Math.sqrt(1 - s * s));
    return { ...mixWithNoise(pixels, share, random), level };
  });
}

/** `share` of each picture, and as much noise as keeps the variance. */
function mixWithNoise(
  pixels: Float32Array,
  share: Float32Array,
  random: TorchCpuGenerator,
): { pictures: Float32Array; noise: Float32Array } {
  const noise = random.normal(pixels.length);
  const pictures = pixels.map((pixel, i) => {
    const s = share[Math.floor(i / DIGIT_SIZE)]!;
    return s * pixel + Math.sqrt(1 - s * s) * noise[i]!;
  });
  return { pictures, noise };
}

function run(
  options: DigitTraining,
  weights: Weights,
  loss: Value,
  feed: (digits: Digits, random: TorchCpuGenerator) => Batch,
): Promise<Trained> {
  const { digits, steps = 300, batch = 64, rate = 3e-3, seed = 0 } = options;
  return trainNet({
    ...options,
    weights,
    loss,
    steps,
    rate,
    clipNorm: 1,
    batch: (step) => {
      const random = new TorchCpuGenerator(derivedSeed(seed, step, "digits"));
      return feed(pick(digits, random.integers(0, digits.labels.length, batch)), random);
    },
  });
}

/** A net, and what it is trained by. */
export interface NetTraining extends Pick<DigitTraining, "builder" | "onStep" | "signal"> {
  readonly weights: Weights;
  readonly loss: Value;
  readonly steps: number;
  /** Highest learning rate, of a one-cycle schedule. */
  readonly rate: number;
  /** Gradients longer than this are shortened. Default: they are not. */
  readonly clipNorm?: number;
  /** The batch of step 0, 1, ... */
  readonly batch: (step: number) => Batch;
}

/** Trains by AdamW to the last step. @throws {DivergedError} when the loss is no number any more. */
export async function trainNet(
  { builder, weights, loss, steps, rate, clipNorm, batch, onStep, signal }: NetTraining,
): Promise<Trained> {
  const { parameters } = weights;
  const step = trainingStep({ parameters, loss, optimizer: adamw(), clipNorm });
  using trainer = await Trainer.create(builder, step, weights.initial);
  const rates = oneCycleRate(rate, steps);
  for (let i = 0; i < steps; i++) {
    const result = await trainer.step(batch(i), rates(i), signal);
    onStep?.(i, result.loss);
  }
  return new Map([...trainer.byParameter("parameter")].map(([name, data]) => [name, data.slice()]));
}
