/**
 * Which of the ways to begin a run's options ask for, by what the U-Net was trained on.
 *
 * @module
 */

import { variationNoise } from "../schedulers/random/mix.ts";
import type { LatentSize } from "./autoencoder.ts";
import type { ModelParts } from "./model_parts.ts";
import { asOption, type GenerateOptions, OptionError } from "./options.ts";
import { canvasOf } from "./outpaint_options.ts";
import { type PreparedPainting, preparePainting } from "./outpaint_painting.ts";
import { randomSource } from "./random_source.ts";
import type { Settings } from "./settings.ts";
import {
  asTheyAre,
  depthChannel,
  fromEdit,
  fromImage,
  fromLatents,
  fromNoise,
  fromNoisyImage,
  fromPainting,
  type Run,
  type StartingPoint,
} from "./starting_point.ts";

/** What a U-Net sees beside the latents. */
export type UNetKind = "text" | "inpainting" | "edit" | "depth";

/** The kind by the U-Net's channels: 4, 9, 8 or 5 for four latent channels. */
export function unetKind({ unet, vae }: ModelParts): UNetKind | undefined {
  const { latentChannels: own } = vae.config;
  const kinds = {
    [own]: "text",
    [2 * own + 1]: "inpainting",
    [2 * own]: "edit",
    [own + 1]: "depth",
  };
  return kinds[unet.config.inChannels] as UNetKind | undefined;
}

/** Whether the U-Net can take what the options give it. @throws {OptionError} */
export function checkChannels(parts: ModelParts, options: GenerateOptions): void {
  const { image, mask, depth } = options, kind = unetKind(parts);
  const refuse = (option: string, why: string): never => {
    throw new OptionError(option, `Cannot generate: ${why}`);
  };
  if (kind === undefined) {
    refuse("prompt", `this model's U-Net takes ${parts.unet.config.inChannels} channels.`);
  }
  if (kind === "inpainting" && !mask) {
    refuse("mask", "this model was trained for inpainting. Give an image and a mask.");
  }
  if (kind === "edit" && !image) refuse("image", "this model edits pictures. Give an image.");
  if (kind === "edit" && mask) refuse("mask", "this model edits whole pictures, without a mask.");
  if (kind === "depth" && !depth) refuse("depth", "this model sees depth. Give a depth map.");
  if (kind !== "depth" && depth) refuse("depth", "this model does not see depth.");
  if (kind !== "edit" && options.imageGuidanceScale !== undefined) {
    refuse("imageGuidanceScale", "only InstructPix2Pix models follow a picture beside the prompt.");
  }
}

/** Moves the starting noise towards the variation seed's; undefined where none is asked for. */
export function variation(
  { variationSeed, variationStrength = 0, rng = "cpu" }: GenerateOptions,
  { channels, height, width }: LatentSize,
): ((noise: Float32Array) => Float32Array) | undefined {
  if (variationSeed === undefined || variationStrength === 0) return undefined;
  return (noise) => {
    const other = randomSource(rng, variationSeed).normal(noise.length);
    return variationNoise(noise, other, variationStrength, [channels, height, width]);
  };
}

/** The painting that the options ask for, at the size of the run. @throws {OptionError} */
export function paintingOf(settings: Settings): PreparedPainting | undefined {
  const { width, height } = settings, { image, mask } = canvasOf(settings);
  if (!image || !mask) return undefined;
  return asOption(
    "mask",
    () => preparePainting({ ...settings, image, mask }, { width, height }),
  );
}

/** Where the run begins. */
export async function startRun(
  parts: ModelParts,
  settings: Settings,
  run: Run,
): Promise<StartingPoint> {
  const start = await begin(parts, settings, run);
  if (!settings.depth) return start;
  return { ...start, beside: depthChannel(settings.depth, run.size) };
}

async function begin(parts: ModelParts, settings: Settings, run: Run): Promise<StartingPoint> {
  const { image, latents, strength, width, height } = settings;
  const painting = paintingOf(settings);
  if (painting) {
    return await fromPainting(run, {
      ...painting,
      ...(latents && { inside: latents }),
      fromNothing: (strength ?? 1) === 1,
      trainedForIt: unetKind(parts) === "inpainting",
    });
  }
  const goesOn = settings.denoisingStart !== undefined;
  if (latents) return goesOn ? asTheyAre(run, latents) : fromLatents(run, latents);
  if (!image) return fromNoise(run, settings.noise);
  const sized = image.withoutAlpha().resize(width, height);
  if (unetKind(parts) === "edit") {
    return await fromEdit(
      run,
      sized,
      parts.index.scalesEdited ? parts.vae.config.scalingFactor : 1,
    );
  }
  return await (goesOn ? fromNoisyImage : fromImage)(run, sized);
}
