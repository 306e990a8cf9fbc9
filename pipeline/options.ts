/**
 * What one picture can be asked for, the defaults, and the checks that need no model.
 *
 * @module
 */

import type { Control } from "./control_nets.ts";
import type { GuidanceKind } from "./guide.ts";
import type { SchedulerChoice } from "./choose_scheduler.ts";
import type { RandomKind } from "./random_source.ts";
import { checkHires, type Hires } from "./hires.ts";
import type { Image } from "./image.ts";
import type { ImagePrompt } from "./image_prompts.ts";
import type { Lora } from "./lora.ts";
import type { AdapterPicture } from "./t2i_adapters.ts";
import type { Extension } from "./outpaint.ts";
import type { FreeU } from "../models/unet_variant.ts";
import { MOST_MERGED } from "../models/token_merging.ts";
import type { Latents } from "./autoencoder.ts";
import type { Seat } from "./lockstep.ts";
import { LONG_PROMPTS, type LongPrompt } from "./prompt_windows.ts";
import { PROMPT_SYNTAXES, type PromptSyntax } from "./prompt_syntax.ts";
import { checkStepCache, type StepCache } from "./step_cache.ts";
import type { Conditioning } from "./text_conditioning.ts";
import type { SizeConditioning } from "./size_conditioning.ts";
import type { SchedulerOverrides } from "../schedulers/scheduler.ts";

/** Options of {@linkcode StableDiffusion.generate} and {@linkcode StableDiffusion.denoise}. */
export interface GenerateOptions extends SizeConditioning {
  /** What to draw. */
  readonly prompt: string;
  /** What guidance pushes away from. Default: nothing, as the model was trained to see it. */
  readonly negativePrompt?: string;
  /**
   * How prompts are read: by A1111's grammar, as plain text, or, the default `auto`, by the grammar
   * where a mark of it is unmistakable: `(a:1.2)`, `((a))`, `[a]`, `BREAK`, `<lora:a:1>`, ...
   */
  readonly promptSyntax?: PromptSyntax;
  /** What becomes of more than 75 tokens: read in chunks (default), or cut off as in diffusers. */
  readonly longPrompt?: LongPrompt;
  /** Folder of the files NAME.txt whose lines `__NAME__` in a prompt stands for. */
  readonly wildcards?: string;
  /** Seed of torch's CPU generator, -2^63 .. 2^64 - 1. Default: a random 32-bit number. */
  readonly seed?: number | bigint;
  /** Denoising steps. Default 25. */
  readonly steps?: number;
  /** Classifier-free guidance scale; at most 1 turns guidance off. Default 7.5. */
  readonly guidanceScale?: number;
  /** How the predictions with and without the prompt are combined. Default "cfg". */
  readonly guidance?: GuidanceKind;
  /** Part of the run in which guidance acts, 0..1 each; outside, the U-Net runs once a step. */
  readonly guidanceInterval?: readonly [start: number, end: number];
  /** Share of the rescaled prediction mixed in, 0..1 (arXiv:2305.08891, section 3.4). Default 0. */
  readonly guidanceRescale?: number;
  /** Picture width in pixels, a multiple of the autoencoder's factor. Default: the model's own. */
  readonly width?: number;
  /** Picture height in pixels. Default: the model's own. */
  readonly height?: number;
  /** Text encoder layers to leave out, counted from the last one. Default 0. */
  readonly clipSkip?: number;
  /** Scheduler: a diffusers class, an alias, or a solver of your own. Default: the model's. */
  readonly scheduler?: SchedulerChoice;
  /** Changes to the scheduler's own configuration. */
  readonly schedulerOptions?: SchedulerOverrides;
  /** Image to image: what the run begins in. Its size is the default size of the result. */
  readonly image?: Image;
  /** How much of `image` is made anew, above 0 to 1. Default 0.8; with a mask 1. */
  readonly strength?: number;
  /** Inpainting: bright where `image` is painted anew. */
  readonly mask?: Image;
  /** Inpainting: softens the mask's edge by so many pixels (a Gaussian's radius). Default 0. */
  readonly maskBlur?: number;
  /**
   * Inpainting: paints the masked area alone, with so many pixels around it, at the full size of
   * the run, and puts it back into the picture. Default: the whole picture.
   */
  readonly maskedPadding?: number;
  /** Inpainting: puts the original's pixels back where nothing was painted. Default false. */
  readonly pasteBack?: boolean;
  /** Outpainting: grows the canvas of `image` by so many pixels a side, which are painted. */
  readonly extend?: Extension;
  /** Clean latents to begin in, in place of `image`: loops of noising and denoising. */
  readonly latents?: Latents;
  /** Depth models: bright where it is near; any size. */
  readonly depth?: Image;
  /** InstructPix2Pix models: how closely `image` is followed. Default 1.5. */
  readonly imageGuidanceScale?: number;
  /** Another seed to move the starting noise towards, as A1111's variations. */
  readonly variationSeed?: number | bigint;
  /** How far, 0 to 1. Default 0. */
  readonly variationStrength?: number;
  /** Hires fix: a second pass at a larger size. */
  readonly hires?: Hires;
  /** FreeU's factors (arXiv:2309.11497). Default: the network as trained. */
  readonly freeU?: FreeU;
  /** Perturbed-attention guidance (arXiv:2403.17377): its scale; 3 is usual. Default 0. */
  readonly perturbedAttentionScale?: number;
  /** Where it acts: names of the U-Net's parts. Default `mid_block`. */
  readonly perturbedAttentionLayers?: readonly string[];
  /** Self-attention guidance (arXiv:2210.00939): its scale; 0.75 is usual. Default 0. */
  readonly selfAttentionScale?: number;
  /** Skip-layer guidance: keeps away from the prediction without some layers. Default 0. */
  readonly skipLayerScale?: number;
  /** Transformers that are left out. Default `mid_block`. */
  readonly skippedLayers?: readonly string[];
  /**
   * CLIP guidance: by which share of the noise's size each prediction moves to where CLIP finds the
   * picture more like a text; 0.1 is much. Default 0.
   */
  readonly clipGuidance?: number;
  /** The text. Default: the prompt. */
  readonly clipPrompt?: string;
  /** A picture to be like, as CLIP's image encoder sees it, layer by layer; of any size. */
  readonly like?: Image;
  /** By which share of the noise's size each prediction moves there. Default 0.1. */
  readonly likeScale?: number;
  /** LoRAs of this picture, beside those of the model as it was opened and of the prompt. */
  readonly loras?: readonly Lora[];
  /**
   * Share of the places of a picture that self-attention merges with others like them, 0 to 0.75:
   * large pictures take less time (arXiv:2303.17604). Default 0.
   */
  readonly tokenMerging?: number;
  /** Run only the shallow part of the U-Net at most calls. Default: all of it at all calls. */
  readonly stepCache?: StepCache;
  /** Fills in the step cache that suits the scheduler, unless there is one: see `fastSteps`. */
  readonly fast?: boolean;
  /** What each of the model's ControlNets is shown, in their order. */
  readonly controls?: readonly Control[];
  /** What each of the model's IP-Adapters is shown, in their order. */
  readonly imagePrompts?: readonly ImagePrompt[];
  /** What each of the model's T2I-Adapters is shown, in their order. */
  readonly adapters?: readonly AdapterPicture[];
  /** An encoded prompt in place of `prompt`, such as a mixture of two. */
  readonly conditioning?: Conditioning;
  /** Starting noise N(0, I) in place of the seed's, Float32Array [channels, height, width]. */
  readonly noise?: Float32Array;
  /** Exactly these timesteps, falling, in place of `steps`. */
  readonly timesteps?: readonly number[];
  /** Exactly these sigmas, falling, with the last one (usually 0), in place of `steps`. */
  readonly sigmas?: readonly number[];
  /** Share of the noise levels after which the run begins, in latents or a picture. Default 0. */
  readonly denoisingStart?: number;
  /** Share of the noise levels at which the run ends; what is left of the noise stays. Default 1. */
  readonly denoisingEnd?: number;
  /** Share of the noise levels at which the refiner takes over. Default 0.8 where there is one. */
  readonly refinerStart?: number;
  /** Whose random numbers: torch's on a CPU (default), torch's on CUDA, or NumPy's. */
  readonly rng?: RandomKind;
  /** Added to the seed of the noise that samplers add on the way (A1111's ENSD). Default 0: no. */
  readonly ensd?: number;
  /** Decode in tiles: true, false, or by default when memory would not suffice. */
  readonly vaeTiling?: boolean;
  /** Side of these tiles in pixels: smaller ones take less memory. Default: the model's own size. */
  readonly vaeTileSize?: number;
  /** Write how the picture was made into its file. Default true. */
  readonly metadata?: boolean;
  /** Its place among pictures that are drawn in step: see `inStep`. */
  readonly seat?: Seat | undefined;
  /**
   * Draws it alone with the U-Net of a batch of so many, whose kernels may round otherwise: for the
   * exact replay of a picture of a batch. Default: a U-Net of its own.
   */
  readonly asBatchOf?: number;
  /** Stops the run within a step; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Options that have one default for every model. */
export type Defaults = Readonly<
  Required<
    Pick<
      GenerateOptions,
      "steps" | "guidanceScale" | "guidanceRescale" | "clipSkip" | "promptSyntax" | "longPrompt"
    >
  >
>;

/** The defaults of every option that does not come from the model's own files. */
export const DEFAULTS: Defaults = Object.freeze({
  steps: 25,
  guidanceScale: 7.5,
  guidanceRescale: 0,
  clipSkip: 0,
  promptSyntax: "auto",
  longPrompt: "chunk",
});

/** An option that no picture can be made with; `option` is its name in the options object. */
export class OptionError extends RangeError {
  /** "OptionError". */
  override readonly name = "OptionError";
  /** `option` is the name in the options object. */
  constructor(readonly option: string, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}

/** What `make` gives; its RangeError becomes an {@linkcode OptionError} of `option`. */
export function asOption<T>(option: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new OptionError(option, error.message, { cause: error });
  }
}

/** A random 32-bit seed. */
export function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!;
}

/** Throws an {@linkcode OptionError} unless `value` is an integer of at least `least`. */
export function requireInteger(option: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new OptionError(
    option,
    `Cannot generate: ${option} must be a whole number of at least ${least}; got ${value}.`,
  );
}

/** Throws an {@linkcode OptionError} unless `value` is a finite number between `low` and `high`. */
export function requireNumber(option: string, value: number, low = -Infinity, high = Infinity) {
  if (Number.isFinite(value) && value >= low && value <= high) return;
  const range = low === -Infinity && high === Infinity ? "" : ` between ${low} and ${high}`;
  throw new OptionError(
    option,
    `Cannot generate: ${option} must be a finite number${range}; got ${value}.`,
  );
}

/** Throws an {@linkcode OptionError} unless `value` is absent or one of `choices`. */
export function requireChoice(
  option: string,
  value: string | undefined,
  choices: readonly string[],
) {
  if (value === undefined || choices.includes(value)) return;
  throw new OptionError(
    option,
    `Cannot generate: ${option} must be one of ${choices.join(", ")}; got ${value}.`,
  );
}

/** Checks the options that need no model, before anything is loaded. */
export function checkOptions(options: GenerateOptions): void {
  if (typeof options.prompt !== "string") {
    throw new TypeError(`Cannot generate: prompt must be a string; got ${typeof options.prompt}.`);
  }
  requireInteger("steps", options.steps ?? DEFAULTS.steps, 1);
  requireInteger("ensd", options.ensd ?? 0, 0);
  requireInteger("asBatchOf", options.asBatchOf ?? 1, 1);
  requireInteger("clipSkip", options.clipSkip ?? DEFAULTS.clipSkip, 0);
  requireNumber("guidanceScale", options.guidanceScale ?? DEFAULTS.guidanceScale);
  requireNumber("guidanceRescale", options.guidanceRescale ?? DEFAULTS.guidanceRescale, 0, 1);
  requireChoice("promptSyntax", options.promptSyntax, PROMPT_SYNTAXES);
  requireChoice("longPrompt", options.longPrompt, LONG_PROMPTS);
  if (options.mask && !options.image) {
    throw new OptionError("mask", "Cannot generate: a mask needs the image that it is over.");
  }
  if (options.strength !== undefined && !options.image && !options.latents) {
    throw new OptionError("strength", "Cannot generate: strength needs the image to begin in.");
  }
  requireNumber("maskBlur", options.maskBlur ?? 0, 0, 1000);
  if (options.maskedPadding !== undefined) {
    requireInteger("maskedPadding", options.maskedPadding, 0);
  }
  requireNumber("variationStrength", options.variationStrength ?? 0, 0, 1);
  requireNumber("imageGuidanceScale", options.imageGuidanceScale ?? 1.5, 0);
  requireNumber("perturbedAttentionScale", options.perturbedAttentionScale ?? 0);
  requireNumber("selfAttentionScale", options.selfAttentionScale ?? 0);
  requireNumber("skipLayerScale", options.skipLayerScale ?? 0);
  requireNumber("clipGuidance", options.clipGuidance ?? 0);
  requireNumber("likeScale", options.likeScale ?? 0);
  if (options.clipPrompt !== undefined && !options.clipGuidance) {
    throw new OptionError("clipPrompt", "Cannot generate: clipPrompt needs clipGuidance.");
  }
  if (options.likeScale !== undefined && !options.like) {
    throw new OptionError("likeScale", "Cannot generate: likeScale needs the picture to be like.");
  }
  for (const { weight = 1 } of options.loras ?? []) requireNumber("loras", weight);
  requireInteger("vaeTileSize", options.vaeTileSize ?? 64, 32);
  requireNumber("tokenMerging", options.tokenMerging ?? 0, 0, MOST_MERGED);
  if (options.stepCache) checkStepCache(options.stepCache);
  if (options.hires) checkHires(options.hires);
  if ((options.variationSeed === undefined) !== (options.variationStrength === undefined)) {
    throw new OptionError(
      options.variationSeed === undefined ? "variationSeed" : "variationStrength",
      "Cannot generate: a variation needs both its seed and its strength.",
    );
  }
  for (const option of ["maskBlur", "maskedPadding", "pasteBack"] as const) {
    const isAsked = option === "maskedPadding" ? options[option] !== undefined : options[option];
    if (!isAsked || options.mask || options.extend) continue;
    throw new OptionError(option, `Cannot generate: ${option} needs a mask.`);
  }
  if (options.extend && !options.image) {
    throw new OptionError("extend", "Cannot generate: extending needs the image to extend.");
  }
  requireNumber("strength", options.strength ?? 1, 0, 1);
  for (const option of ["denoisingStart", "denoisingEnd", "refinerStart"] as const) {
    requireNumber(option, options[option] ?? 0, 0, 1);
  }
  if (options.denoisingStart !== undefined && !options.image && !options.latents) {
    throw new OptionError(
      "denoisingStart",
      "Cannot generate: denoisingStart needs the image to go on with.",
    );
  }
  if (options.width !== undefined) requireInteger("width", options.width, 1);
  if (options.height !== undefined) requireInteger("height", options.height, 1);
  if (typeof options.seed === "number" && !Number.isSafeInteger(options.seed)) {
    throw new OptionError("seed", `Cannot generate: seed must be an integer; got ${options.seed}.`);
  }
  if (typeof options.seed === "bigint" && BigInt.asIntN(66, options.seed) !== options.seed) {
    throw new OptionError("seed", `Cannot generate: seed must fit 64 bits; got ${options.seed}.`);
  }
}
