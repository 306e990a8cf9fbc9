/** The lesson's networks trained on digits: a classifier, a judge of likeness, a denoiser. */
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

/**
 * Trains the judge: it is shown digits with noise mixed in by any share, and says how much of the
 * picture is digit.
 */
export function trainLikeness(options: DigitTraining): Promise<Trained> {
  const { batch = 64, seed = 0 } = options, weights = new Weights(seed);
  const share = input("share", "float32", [batch]);
  const loss = meanSquaredError(digitLikeness(pictureInput(batch), weights), share);
  return run(options, weights, loss, ({ pixels }, random) => {
    const share = random.uniform(batch);
    return { pictures: mixWithNoise(pixels, share, random).pictures, share };
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

async function run(
  options: DigitTraining,
  weights: Weights,
  loss: Value,
  feed: (digits: Digits, random: TorchCpuGenerator) => Batch,
): Promise<Trained> {
  const { builder, digits, steps = 300, batch = 64, rate = 3e-3, seed = 0, signal } = options;
  const step = trainingStep({ parameters: weights.parameters, loss, optimizer: adamw() });
  using trainer = await Trainer.create(builder, step, weights.initial);
  const rates = oneCycleRate(rate, steps);
  for (let i = 0; i < steps; i++) {
    const random = new TorchCpuGenerator(derivedSeed(seed, i, "digits"));
    const chosen = pick(digits, random.integers(0, digits.labels.length, batch));
    const result = await trainer.step(feed(chosen, random), rates(i), signal);
    options.onStep?.(i, result.loss);
  }
  return new Map([...trainer.byParameter("parameter")].map(([name, data]) => [name, data.slice()]));
}
