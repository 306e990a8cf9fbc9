/**
 * What several experiments do and measure.
 *
 * @module
 */

import type { Autoencoder, Latents } from "../pipeline/autoencoder.ts";
import type { Image } from "../pipeline/image.ts";
import type { GenerateOptions } from "../pipeline/options.ts";
import type { Computation, Feeds } from "../training/computation.ts";
import type { TrainingEvent } from "../training/training_run.ts";
import type { Laboratory } from "./topic.ts";

/** Root mean square of the differences of two equally long lists of numbers. */
export function rmsDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return Math.sqrt(sum / a.length);
}

/** Root mean square. */
export function rms(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! ** 2;
  return Math.sqrt(sum / values.length);
}

/** How far off what was found is: length of the difference to the truth, of the truth's own. */
export function relativeError(found: ArrayLike<number>, truth: ArrayLike<number>): number {
  return rmsDistance(found, truth) / rms(truth);
}

/** Mean and standard deviation. */
export function moments(values: ArrayLike<number>): { mean: number; deviation: number } {
  let sum = 0, squares = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  const mean = sum / values.length;
  for (let i = 0; i < values.length; i++) squares += (values[i]! - mean) ** 2;
  return { mean, deviation: Math.sqrt(squares / values.length) };
}

/** Cosine of the angle between two vectors. */
export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let dot = 0, aa = 0, bb = 0;
  for (let i = 0; i < a.length; i++) {
    dot += a[i]! * b[i]!;
    aa += a[i]! ** 2;
    bb += b[i]! ** 2;
  }
  return dot / Math.sqrt(aa * bb);
}

/** Peak signal-to-noise ratio of two pictures of one size, in decibels. */
export function psnr(a: Image, b: Image): number {
  return 20 * Math.log10(255 / Math.max(rmsDistance(a.data, b.data), 1e-9));
}

/** How far red stands above green and blue in a picture, on average: -1 to 1. */
export function redness(image: Image): number {
  let sum = 0;
  const { data, channels } = image;
  for (let i = 0; i < data.length; i += channels) {
    sum += Math.max(0, data[i]! - Math.max(data[i + 1]!, data[i + 2]!)) / 255;
  }
  return sum / (data.length / channels);
}

/** The rows of a matrix, as views. */
export function rows(matrix: Float32Array, width: number): Float32Array[] {
  return Array.from(
    { length: matrix.length / width },
    (_, i) => matrix.subarray(i * width, (i + 1) * width),
  );
}

/** `count` of a list, evenly, first and last among them; all of a list that has no more. */
export function evenly<T>(list: readonly T[], count: number): T[] {
  const n = Math.min(count, list.length);
  return Array.from(
    { length: n },
    (_, i) => list[Math.round(i * (list.length - 1) / Math.max(1, n - 1))]!,
  );
}

/** Draws with the laboratory's prompt and seed where the options say nothing else. */
export async function draw(
  { sd, prompt, seed, signal }: Laboratory,
  options: Partial<GenerateOptions> = {},
): Promise<Image> {
  const base = { prompt, seed, steps: 15, scheduler: "DPM++ 2M", ...(signal && { signal }) };
  return await sd.generate({ ...base, ...options });
}

/** The most likely latents of a picture whose sides are multiples of the autoencoder's factor. */
export async function latentsOf(autoencoder: Autoencoder, image: Image): Promise<Latents> {
  const { factor, latentChannels: channels } = autoencoder.parts.vae.config;
  const size = { channels, height: image.height / factor, width: image.width / factor };
  return { ...size, data: await autoencoder.encode(image.toTensor(), size, () => undefined) };
}

/** What a computation gives, and the seconds of its second run: the first one allocates. */
export async function timedRun<K extends string>(
  computation: Computation<K>,
  feeds: Feeds,
): Promise<{ results: Record<K, Float32Array>; seconds: number }> {
  await computation.run(feeds);
  const began = performance.now(), results = await computation.run(feeds);
  return { results, seconds: (performance.now() - began) / 1000 };
}

/** Trains to the end, saying how far it has come. @returns the loss of each update. */
export async function lossesOf(
  training: AsyncIterable<TrainingEvent>,
  { progress }: Laboratory,
): Promise<number[]> {
  const losses: number[] = [];
  for await (const event of training) {
    if (event.kind === "update") losses.push(event.loss);
    progress(event.kind === "update" ? `update ${event.step} of ${event.steps}` : event.kind);
  }
  return losses;
}
