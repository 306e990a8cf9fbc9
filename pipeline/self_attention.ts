/**
 * Self-attention guidance (Hong et al. 2022, arXiv:2210.00939): keeps away from what the network
 * would predict if the places it looks at most were blurred.
 *
 * @module
 */

import type { Stage } from "../schedulers/plan.ts";
import type { LatentSize } from "./autoencoder.ts";

/** The blur's kernel: nine places of a Gaussian with deviation 1, as in diffusers. */
const KERNEL = (() => {
  const weights = Float32Array.from({ length: 9 }, (_, i) => Math.exp(-0.5 * (i - 4) ** 2));
  const sum = weights.reduce((a, b) => a + b);
  return weights.map((weight) => weight / sum);
})();

/** Latents to degrade: at which stage, with what the network said of them. */
export interface Degradable {
  /** What the network saw: Float32Array [channels, height, width]. */
  readonly input: Float32Array;
  /** What it predicted without the prompt. */
  readonly prediction: Float32Array;
  /** How much each place of the mid block is looked at, all in all. */
  readonly focus: Float32Array;
  readonly stage: Stage;
  readonly size: LatentSize;
}

/** The input with the clean picture blurred where it is looked at, noised as before. */
export function degraded({ input, prediction, focus, stage, size }: Degradable): Float32Array {
  const { denoised, level: { signal, noise }, inputScale } = stage;
  const sample = input.map((value) => value / inputScale);
  const clean = sample.map((x, i) => denoised.sample * x + denoised.output * prediction[i]!);
  const blurred = blur(clean, size), mask = maskOf(focus, size);
  return sample.map((x, i) => {
    const epsilon = (x - signal * clean[i]!) / noise;
    const changed = mask[i % mask.length] ? blurred[i]! : clean[i]!;
    return (signal * changed + noise * epsilon) * inputScale;
  });
}

/** 1 where more than the mean is looked at, at the size of the latents, nearest places. */
function maskOf(focus: Float32Array, { height, width }: LatentSize): Uint8Array {
  let rows = height, columns = width;
  // Each resolution on the way down has half the size, rounded up.
  while (rows * columns > focus.length) [rows, columns] = [(rows + 1) >> 1, (columns + 1) >> 1];
  return Uint8Array.from({ length: height * width }, (_, i) => {
    const y = Math.floor((Math.floor(i / width) * rows) / height);
    const x = Math.floor(((i % width) * columns) / width);
    return focus[y * columns + x]! > 1 ? 1 : 0;
  });
}

/** Blurs each channel; at the border the picture is reflected. */
function blur(values: Float32Array, { channels, height, width }: LatentSize): Float32Array {
  const across = convolve(values, { lines: channels * height, count: width, step: 1, line: width });
  const out = new Float32Array(values.length), plane = height * width;
  for (let c = 0; c < channels; c++) {
    const one = across.subarray(c * plane, (c + 1) * plane);
    out.set(convolve(one, { lines: width, count: height, step: width, line: 1 }), c * plane);
  }
  return out;
}

function convolve(
  values: Float32Array,
  { lines, count, step, line }: { lines: number; count: number; step: number; line: number },
): Float32Array {
  const out = new Float32Array(values.length);
  const reflect = (i: number) => {
    const period = 2 * Math.max(count - 1, 1), at = Math.abs(i) % period;
    return at < count ? at : period - at;
  };
  for (let l = 0; l < lines; l++) {
    for (let i = 0; i < count; i++) {
      let sum = 0;
      for (const [k, weight] of KERNEL.entries()) {
        sum += weight * values[l * line + reflect(i + k - 4) * step]!;
      }
      out[l * line + i * step] = sum;
    }
  }
  return out;
}
