/**
 * Where a run begins: in noise, in a picture that noise was added to, or in a picture of which a
 * part is kept. Random numbers are drawn in diffusers' order, so that seeds agree.
 *
 * @module
 */

import { addNoise, type Plan } from "../schedulers/plan.ts";
import type { NormalSource } from "../schedulers/random/normal_source.ts";
import type { Autoencoder, Latents, LatentSize } from "./autoencoder.ts";
import { resizeLatents } from "./hires_latents.ts";
import type { Image } from "./image.ts";

/** Where a run begins, and what is kept on its way. */
export interface StartingPoint {
  /** Float32Array [channels, height, width], scaled for the plan's first stage. */
  readonly latents: Float32Array;
  /** Channels that the U-Net sees behind the latents at every call: inpainting models. */
  readonly beside?: Float32Array;
  /** InstructPix2Pix: in their place where it looks away from the picture. */
  readonly besideNothing?: Float32Array;
  /** Puts the kept part back into the latents after the call `index`, in place. */
  readonly keep?: (latents: Float32Array, index: number) => void;
}

/** What all starting points have in common. */
export interface Run {
  /** The rows of weights that are ahead. */
  readonly plan: Plan;
  /** Of the latents. */
  readonly size: LatentSize;
  /** The run's random numbers. */
  readonly noise: NormalSource;
  /** Moves the starting noise towards another seed's. */
  readonly vary?: ((noise: Float32Array) => Float32Array) | undefined;
  /** Encodes what the run begins in. */
  readonly autoencoder: Autoencoder;
  /** Stops the run. */
  readonly signal?: AbortSignal | undefined;
}

/** Begins in noise: N(0, I), drawn unless given, times the plan's initial scale. */
export function fromNoise(run: Run, given?: Float32Array): StartingPoint {
  const { plan, size } = run, count = size.channels * size.height * size.width;
  if (given && given.length !== count) {
    throw new RangeError(
      `Cannot begin in the noise given: it has ${given.length} numbers, expected ${count}.`,
    );
  }
  return { latents: (given ?? firstNoise(run)).map((z) => z * plan.initialScale) };
}

/** Begins in `image`, of exactly the run's size, with the noise of the plan's first stage. */
export async function fromImage(run: Run, image: Image): Promise<StartingPoint> {
  const clean = await encode(run, image.toTensor());
  return { latents: addNoise(run.plan, 0, clean, firstNoise(run)) };
}

/** Begins in `image` as it is: the noise that the plan begins with is in it. */
export async function fromNoisyImage(run: Run, image: Image): Promise<StartingPoint> {
  return { latents: await encode(run, image.toTensor()) };
}

/** Begins in latents that have the noise of the plan's first stage, of exactly the run's size. */
export function asTheyAre(run: Run, given: Latents): StartingPoint {
  return { latents: ofSize(run, given).slice() };
}

/** Begins in clean latents, of exactly the run's size. */
export function fromLatents(run: Run, given: Latents): StartingPoint {
  return { latents: addNoise(run.plan, 0, ofSize(run, given), firstNoise(run)) };
}

function ofSize({ size }: Run, { data, channels, height, width }: Latents): Float32Array {
  if (channels !== size.channels || height !== size.height || width !== size.width) {
    throw new RangeError(
      `Cannot begin in the latents given: got ${channels} x ${height} x ${width}, expected ` +
        `${size.channels} x ${size.height} x ${size.width}.`,
    );
  }
  return data;
}

/**
 * Begins in noise, with a picture beside it that is to be changed (arXiv:2211.09800), its latents
 * times `scale`.
 */
export async function fromEdit(run: Run, image: Image, scale = 1): Promise<StartingPoint> {
  const { size, autoencoder, signal } = run;
  const mean = await autoencoder.encodeMean(image.toTensor(), size, signal);
  const beside = scale === 1 ? mean : mean.map((value) => scale * value);
  return { ...fromNoise(run), beside, besideNothing: new Float32Array(beside.length) };
}

/** A depth map as the U-Net sees it: at the size of the latents, from -1 to 1. */
export function depthChannel(depth: Image, { width, height }: LatentSize): Float32Array {
  const gray = Float32Array.from(depth.toGray());
  const map = { channels: 1, width: depth.width, height: depth.height, data: gray };
  const { data } = resizeLatents(map, { width, height }, "bicubic");
  const low = data.reduce((a, b) => Math.min(a, b)), high = data.reduce((a, b) => Math.max(a, b));
  // A flat map says nothing: all is at one distance.
  return data.map((value) => high > low ? (2 * (value - low)) / (high - low) - 1 : 0);
}

/** What is painted, and over what; both of exactly the run's size in pixels. */
export interface Painting {
  readonly image: Image;
  /** Bright where it is to be painted. */
  readonly mask: Image;
  /** Clean latents that the painted part begins in, in place of the picture's own. */
  readonly inside?: Latents;
  /** True where the run starts from nothing: strength 1. */
  readonly fromNothing: boolean;
  /** True for U-Nets that see mask and picture (9 channels). */
  readonly trainedForIt: boolean;
}

/** Begins in a picture whose masked part is painted anew. */
export async function fromPainting(run: Run, painting: Painting): Promise<StartingPoint> {
  const { plan, size } = run;
  const { image, mask, inside, fromNothing, trainedForIt } = painting;
  const pixels = image.toTensor();
  const clean = trainedForIt && fromNothing ? undefined : await encode(run, pixels);
  const z = firstNoise(run);
  const latents = fromNothing
    ? z.map((value) => value * plan.initialScale)
    : addNoise(plan, 0, inside ? ofSize(run, inside) : clean!, z);
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

/** The noise that a run begins with. */
function firstNoise({ size, noise, vary = (z) => z }: Run): Float32Array {
  return vary(noise.normal(size.channels * size.height * size.width));
}

/** Pixels [3, height, width] with the masked ones gray: 0. */
function hide(pixels: Float32Array, mask: Float32Array): Float32Array {
  return pixels.map((value, i) => (mask[i % mask.length] === 0 ? value : 0));
}

/** A sample of the autoencoder's posterior, with noise drawn now. */
async function encode(run: Run, pixels: Float32Array): Promise<Float32Array> {
  const { size, noise, autoencoder, signal } = run;
  const draw = () => noise.normal(size.channels * size.height * size.width);
  return await autoencoder.encode(pixels, size, draw, signal);
}
