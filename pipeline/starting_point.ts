/**
 * Where a run begins: in noise, in a picture that noise was added to, or in a picture of which a
 * part is kept. Random numbers are drawn in diffusers' order, so that seeds agree.
 *
 * @module
 */

import { addNoise, type Plan } from "../schedulers/plan.ts";
import type { NormalSource } from "../schedulers/random/normal_source.ts";
import type { Autoencoder, LatentSize } from "./autoencoder.ts";
import type { Image } from "./image.ts";

/** Where a run begins, and what is kept on its way. */
export interface StartingPoint {
  /** Float32Array [channels, height, width], scaled for the plan's first stage. */
  readonly latents: Float32Array;
  /** Channels that the U-Net sees behind the latents at every call: inpainting models. */
  readonly beside?: Float32Array;
  /** Puts the kept part back into the latents after the call `index`, in place. */
  readonly keep?: (latents: Float32Array, index: number) => void;
}

/** What the three kinds of starting points have in common. */
interface Run {
  readonly plan: Plan;
  readonly size: LatentSize;
  readonly noise: NormalSource;
  readonly autoencoder: Autoencoder;
  readonly signal?: AbortSignal | undefined;
}

/** Begins in noise: N(0, I), drawn unless given, times the plan's initial scale. */
export function fromNoise({ plan, size, noise }: Run, given?: Float32Array): StartingPoint {
  const count = size.channels * size.height * size.width;
  if (given && given.length !== count) {
    throw new RangeError(
      `Cannot begin in the noise given: it has ${given.length} numbers, expected ${count}.`,
    );
  }
  return { latents: (given ?? noise.normal(count)).map((z) => z * plan.initialScale) };
}

/** Begins in `image`, of exactly the run's size, with the noise of the plan's first stage. */
export async function fromImage(run: Run, image: Image): Promise<StartingPoint> {
  const clean = await encode(run, image.toTensor());
  return { latents: addNoise(run.plan, 0, clean, run.noise.normal(clean.length)) };
}

/** What is painted, and over what; both of exactly the run's size in pixels. */
export interface Painting {
  readonly image: Image;
  /** Bright where it is to be painted. */
  readonly mask: Image;
  /** True where the run starts from nothing: strength 1. */
  readonly fromNothing: boolean;
  /** True for U-Nets that see mask and picture (9 channels). */
  readonly trainedForIt: boolean;
}

/** Begins in a picture whose masked part is painted anew. */
export async function fromPainting(run: Run, painting: Painting): Promise<StartingPoint> {
  const { plan, size, noise } = run;
  const { image, mask, fromNothing, trainedForIt } = painting;
  const pixels = image.toTensor(), count = size.channels * size.height * size.width;
  const clean = trainedForIt && fromNothing ? undefined : await encode(run, pixels);
  const z = noise.normal(count);
  const latents = fromNothing
    ? z.map((value) => value * plan.initialScale)
    : addNoise(plan, 0, clean!, z);
  // Encoded for every U-Net, as diffusers does: the random numbers go on from there.
  const masked = await encode(run, hide(pixels, mask.toMask()));
  const paint = mask.toMask(size.width, size.height);
  if (trainedForIt) return { latents, beside: Float32Array.of(...paint, ...masked) };
  return { latents, keep: (latents, index) => keepOutside(latents, index) };

  function keepOutside(latents: Float32Array, index: number): void {
    const isLast = index === plan.stages.length - 1;
    const kept = isLast ? clean! : addNoise(plan, index + 1, clean!, z);
    for (let i = 0; i < latents.length; i++) {
      if (paint[i % paint.length] === 0) latents[i] = kept[i]!;
    }
  }
}

/** Pixels [3, height, width] with the masked ones gray: 0. */
function hide(pixels: Float32Array, mask: Float32Array): Float32Array {
  return pixels.map((value, i) => (mask[i % mask.length] === 0 ? value : 0));
}

/** A sample of the autoencoder's posterior, with noise drawn now. */
async function encode(run: Run, pixels: Float32Array): Promise<Float32Array> {
  const { size, noise, autoencoder, signal } = run;
  const z = noise.normal(size.channels * size.height * size.width);
  return await autoencoder.encode(pixels, size, z, signal);
}
