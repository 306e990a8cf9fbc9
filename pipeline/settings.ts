/**
 * From the options of a picture to its settings: checked against the model, defaults filled in.
 *
 * @module
 */

import type { Image } from "./image.ts";
import type { ModelParts } from "./model_parts.ts";
import { checkLayers } from "./network_changes.ts";
import {
  checkOptions,
  DEFAULTS,
  type Defaults,
  type GenerateOptions,
  OptionError,
  randomSeed,
} from "./options.ts";
import { checkMemory } from "./memory_limit.ts";
import { canvasOf } from "./outpaint_options.ts";
import { withoutWildcards } from "./prompt_wildcard_options.ts";
import { checkRefinement } from "./refine.ts";
import { checkChannels } from "./run_start.ts";
import { checkSizes } from "./size_conditioning.ts";
import { cutDepth } from "./step_cache.ts";

/** Every option of one picture, defaults filled in. */
export type Settings =
  & GenerateOptions
  & Defaults
  & Required<
    Pick<GenerateOptions, "seed" | "width" | "height" | "scheduler" | "schedulerOptions">
  >;

/** How many networks of each kind stand beside the U-Net. */
export interface Beside {
  readonly controls: number;
  readonly imagePrompts: number;
  readonly adapters: number;
  /** Whether a refiner stands behind the model. */
  readonly refiner: boolean;
}

/** Checks and completes the options of one picture. @throws {OptionError} */
export function settingsFor(parts: ModelParts, beside: Beside, options: GenerateOptions): Settings {
  checkOptions(options);
  const canvas = canvasOf(options);
  const { factor } = parts.vae.config;
  const side = (parts.unet.config.sampleSize ?? 64) * factor;
  const { image } = canvas, whole = (pixels: number) => pixels - pixels % factor;
  if (image) checkSides(image, options, factor);
  const settings = {
    ...DEFAULTS,
    seed: randomSeed(),
    width: image ? whole(image.width) : side,
    height: image ? whole(image.height) : side,
    scheduler: String(parts.schedulerConfig._class_name),
    schedulerOptions: {},
    ...options,
  };
  const { seed } = settings;
  for (const option of ["prompt", "negativePrompt"] as const) {
    const text = settings[option];
    if (text !== undefined) settings[option] = withoutWildcards(settings, option, text, seed);
  }
  for (const option of ["width", "height"] as const) {
    if (settings[option] % factor === 0 && settings[option] > 0) continue;
    throw new OptionError(
      option,
      `Cannot generate: ${option} must be a multiple of ${factor}; got ${settings[option]}.`,
    );
  }
  checkMemory(parts, settings);
  checkClipSkip(parts, settings.clipSkip);
  checkChannels(parts, { ...options, ...canvas });
  checkLayers(options, parts.unet.weights.names());
  checkFixed(options, parts);
  checkPictures(options, beside);
  cutDepth(options.stepCache, parts.unet.config);
  checkSizes(options, parts, parts.index.isRefiner || beside.refiner);
  checkRefinement({ ...options, ...canvas }, beside.refiner);
  checkRefiner(options, parts);
  return settings;
}

/** Of a text encoder's layers one must stay. */
function checkClipSkip({ textEncoders }: ModelParts, skipped: number): void {
  const fewest = Math.min(...textEncoders.map(({ config }) => config.layers));
  if (skipped < fewest) return;
  throw new OptionError(
    "clipSkip",
    `Cannot generate: the text encoder has ${fewest} layers; got a clip skip of ${skipped}.`,
  );
}

/** A picture thinner than a latent says nothing of the result's size. */
function checkSides(image: Image, options: GenerateOptions, factor: number): void {
  for (const side of ["width", "height"] as const) {
    if (options[side] !== undefined || image[side] >= factor) continue;
    throw new OptionError(
      "image",
      `Cannot generate: a picture of ${image.width} x ${image.height} pixels is too thin to give ` +
        `the result its size; expected at least ${factor} a side. Give width and height.`,
    );
  }
}

/** Options that change the U-Net, which an ONNX file does not allow. */
const CHANGES = [
  "freeU",
  "perturbedAttentionScale",
  "selfAttentionScale",
  "skipLayerScale",
  "stepCache",
] as const;

function checkFixed(options: GenerateOptions, { unet, path, index }: ModelParts): void {
  if (!unet.onnx) return;
  const option = CHANGES.find((name) => options[name] !== undefined) ??
    (options.clipSkip && index.family === "sd" ? "clipSkip" : undefined);
  if (option === undefined) return;
  throw new OptionError(
    option,
    `Cannot generate: ${option} changes a network, and those of ${path} are ONNX files, which ` +
      "stay as they are.",
  );
}

/** The refiner was trained on pictures that are nearly there. */
function checkRefiner({ image, latents }: GenerateOptions, { index }: ModelParts): void {
  if (!index.isRefiner || image || latents) return;
  throw new OptionError(
    "image",
    "Cannot generate: this model is SDXL's refiner, which does not draw from nothing. Give it an " +
      "image, or open the base model with it as the refiner.",
  );
}

const NETWORKS = {
  controls: ["ControlNet", "a control picture"],
  imagePrompts: ["IP-Adapter", "a picture"],
  adapters: ["T2I-Adapter", "a picture"],
} as const;

/** Every network beside the U-Net needs its picture. */
function checkPictures(options: GenerateOptions, beside: Beside): void {
  for (const option of ["controls", "imagePrompts", "adapters"] as const) {
    const got = options[option]?.length ?? 0, expected = beside[option];
    const [network, what] = NETWORKS[option];
    if (got === expected) continue;
    throw new OptionError(
      option,
      `Cannot generate: each ${network} needs ${what}; got ${got} for ${expected}.`,
    );
  }
}
