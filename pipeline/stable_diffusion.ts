/**
 * The pipeline: a model's parts, composed to draw.
 *
 * @module
 */

import { cpu, type Provider } from "../ffi/providers.ts";
import { openRuntime } from "../ffi/runtime.ts";
import { schedulerFromConfig } from "../schedulers/scheduler.ts";
import { denoise, type DenoisingStep } from "../schedulers/denoise.ts";
import type { Plan, Stage } from "../schedulers/plan.ts";
import { TorchCpuGenerator } from "../schedulers/random/torch_cpu.ts";
import { Autoencoder, type Latents, type LatentSize } from "./autoencoder.ts";
import { fromImage, fromNoise, fromPainting, type StartingPoint } from "./starting_point.ts";
import { openEmbedded } from "./embedded_model.ts";
import type { Image } from "./image.ts";
import { parametersText } from "./parameters_text.ts";
import { type ModelParts, openFolder } from "./model_parts.ts";
import { type GuidedPrompt, NoisePredictor } from "./noise_predictor.ts";
import {
  checkOptions,
  DEFAULTS,
  type GenerateOptions,
  OptionError,
  randomSeed,
} from "./options.ts";
import { SessionBuilder } from "./session_builder.ts";
import { type Conditioning, TextConditioner, zeroConditioning } from "./text_conditioning.ts";

/** Options of {@linkcode StableDiffusion.open}. */
export interface OpenOptions {
  /** Execution providers in order of preference. Default: the CPU. */
  readonly providers?: readonly Provider[];
  /** Weight files of a variant, such as `fp16`, where a part has them. */
  readonly variant?: string;
  /** Path of ONNX Runtime's library. Default: looked for, see `openRuntime`. */
  readonly library?: string;
  /** Threads within an operator. Default: ONNX Runtime's choice. */
  readonly threads?: number;
}

/** Options that {@linkcode StableDiffusion.settings} fills in. */
type Decided =
  | "seed"
  | "steps"
  | "guidanceScale"
  | "guidanceRescale"
  | "clipSkip"
  | "width"
  | "height"
  | "scheduler"
  | "schedulerOptions";

/** Every option of one picture, defaults filled in. */
export type Settings = GenerateOptions & Required<Pick<GenerateOptions, Decided>>;

/** One call of the U-Net and what came of it. */
export interface Step extends Omit<DenoisingStep, "latents" | "denoised"> {
  /** The latents after this call; a copy. */
  readonly latents: Latents;
  /** The clean picture's latents as of this call; a copy. */
  readonly denoised: Latents;
}

/** A model ready to draw. Owns native memory: dispose it, or write `await using`. */
export class StableDiffusion implements AsyncDisposable {
  readonly #parts: ModelParts;
  readonly #conditioner: TextConditioner;
  readonly #predictor: NoisePredictor;
  readonly #autoencoder: Autoencoder;

  private constructor(parts: ModelParts, builder: SessionBuilder) {
    this.#parts = parts;
    this.#conditioner = new TextConditioner(parts, builder);
    this.#predictor = new NoisePredictor(parts, builder);
    this.#autoencoder = new Autoencoder(parts, builder);
  }

  /**
   * Opens a diffusers folder, or the embedded model. Reads configurations and the headers of the
   * weight files only; networks are built when first used.
   *
   * @throws {ModelFormatError} for a folder that cannot be used, naming the file.
   * @throws {LibraryNotFoundError} where there is no ONNX Runtime.
   */
  static async open(model?: string, options: OpenOptions = {}): Promise<StableDiffusion> {
    const { providers = [cpu()], variant, library, threads } = options;
    const parts = model === undefined ? await openEmbedded() : await openFolder(model, { variant });
    const runtime = openRuntime(library === undefined ? {} : { library });
    const session = { providers, ...(threads === undefined ? {} : { threads }) };
    return new StableDiffusion(parts, new SessionBuilder(runtime, session));
  }

  /** Draws one picture. @throws {OptionError} for options that this model cannot draw with. */
  async generate(options: GenerateOptions): Promise<Image> {
    const settings = this.settings(options);
    let latents: Latents | undefined;
    for await (const step of this.denoise(settings)) latents = step.latents;
    return await this.decode(latents!, settings);
  }

  /**
   * Denoises step by step: look inside, and stop by `break` or by the signal.
   *
   * @throws {OptionError} for options that this model cannot draw with.
   */
  async *denoise(options: GenerateOptions): AsyncGenerator<Step, void, void> {
    const settings = this.settings(options);
    const { seed, signal } = settings;
    const plan = this.plan(settings);
    const size = this.#latentSize(settings);
    const noise = new TorchCpuGenerator(seed);
    const { latents, beside, keep } = await this.#start(settings, { plan, size, noise });

    const prompt = { ...await this.#prompt(settings), ...(beside && { beside }) };
    using run = await this.#predictor.prepare(prompt, size, signal);
    const predict = (input: Float32Array, stage: Stage) => run.predict(input, stage.timestep);
    const fresh = () => noise.normal(latents.length);
    for await (const step of denoise(plan, latents, predict, fresh, signal ? { signal } : {})) {
      keep?.(latents, step.index);
      yield {
        ...step,
        latents: { ...size, data: latents.slice() },
        denoised: { ...size, data: step.denoised.slice() },
      };
    }
  }

  /** Encodes a prompt, leaving out the text encoder's last `clipSkip` layers. */
  encode(prompt: string, options: { clipSkip?: number } = {}): Promise<Conditioning> {
    return this.#conditioner.encode(prompt, options.clipSkip ?? DEFAULTS.clipSkip);
  }

  /** The noise N(0, I) that a run with these settings begins in, as torch's CPU generator. */
  startingNoise(settings: Settings): Latents {
    const size = this.#latentSize(settings);
    const count = size.channels * size.height * size.width;
    return { ...size, data: new TorchCpuGenerator(settings.seed).normal(count) };
  }

  /** Decodes latents into a picture; with `settings`, these are written into its file. */
  async decode(latents: Latents, settings?: Settings): Promise<Image> {
    const image = await this.#autoencoder.decode(latents, settings?.signal);
    if (settings) image.text.parameters = parametersText(settings, this.#parts.path);
    return image;
  }

  /**
   * The plan of a run: every timestep, with its row of weights.
   *
   * @throws {OptionError} for a scheduler that is not known, or that cannot do what is asked.
   */
  plan(options: GenerateOptions): Plan {
    const { scheduler, schedulerOptions, steps, image, mask, strength } = this.settings(options);
    const part = image ? strength ?? (mask ? 1 : 0.8) : undefined;
    try {
      const overrides = { ...schedulerOptions, scheduler };
      return schedulerFromConfig(this.#parts.schedulerConfig, overrides)
        .plan({ steps, ...(part !== undefined && { strength: part }) });
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new OptionError("scheduler", error.message, { cause: error });
    }
  }

  /** All options of one picture: checked, and with the defaults of the model's files. */
  settings(options: GenerateOptions): Settings {
    checkOptions(options);
    const { factor } = this.#parts.vae.config;
    const side = (this.#parts.unet.config.sampleSize ?? 64) * factor;
    const { image } = options, whole = (pixels: number) => pixels - pixels % factor;
    const settings = {
      ...DEFAULTS,
      seed: randomSeed(),
      width: image ? whole(image.width) : side,
      height: image ? whole(image.height) : side,
      scheduler: String(this.#parts.schedulerConfig._class_name),
      schedulerOptions: {},
      ...options,
    };
    for (const option of ["width", "height"] as const) {
      if (settings[option] % factor === 0) continue;
      throw new OptionError(
        option,
        `Cannot generate: ${option} must be a multiple of ${factor}; got ${settings[option]}.`,
      );
    }
    this.#checkChannels(options);
    return settings;
  }

  /** Releases all sessions. */
  // deno-lint-ignore require-await -- asynchronous by contract: a run under way must end first
  async [Symbol.asyncDispose](): Promise<void> {
    this.#conditioner[Symbol.dispose]();
    this.#predictor[Symbol.dispose]();
    this.#autoencoder[Symbol.dispose]();
  }

  /** Whether the U-Net can take what the options give it. */
  #checkChannels({ mask }: GenerateOptions): void {
    const { inChannels } = this.#parts.unet.config, { latentChannels } = this.#parts.vae.config;
    if (inChannels === latentChannels || (inChannels === 2 * latentChannels + 1 && mask)) return;
    if (inChannels === 2 * latentChannels + 1) {
      throw new OptionError(
        "mask",
        "Cannot generate: this model was trained for inpainting. Give an image and a mask.",
      );
    }
    throw new OptionError(
      "prompt",
      `Cannot generate: this model's U-Net takes ${inChannels} channels, of which ` +
        `${inChannels - latentChannels} are neither latents nor a mask.`,
    );
  }

  /** Where the run begins, by what the options give. */
  async #start(
    settings: Settings,
    run: { readonly plan: Plan; readonly size: LatentSize; readonly noise: TorchCpuGenerator },
  ): Promise<StartingPoint> {
    const { image, mask, strength, width, height, signal } = settings;
    const context = { ...run, autoencoder: this.#autoencoder, signal };
    if (!image) return fromNoise(context, settings.noise);
    const sized = image.withoutAlpha().resize(width, height);
    if (!mask) return await fromImage(context, sized);
    return await fromPainting(context, {
      image: sized,
      mask: mask.withoutAlpha().resize(width, height),
      fromNothing: (strength ?? 1) === 1,
      trainedForIt: this.#parts.unet.config.inChannels !== run.size.channels,
    });
  }

  #latentSize({ width, height }: Settings): LatentSize {
    const { factor, latentChannels } = this.#parts.vae.config;
    return { channels: latentChannels, height: height / factor, width: width / factor };
  }

  /**
   * Encodes the prompts; guidance of at most 1 needs no negative one. Clip skip is for the prompt
   * alone: diffusers encodes the negative one with all layers.
   */
  async #prompt(settings: Settings): Promise<GuidedPrompt> {
    const { guidanceScale, guidanceRescale, width, height, clipSkip, signal } = settings;
    const positive = settings.conditioning ??
      await this.#conditioner.encode(settings.prompt, clipSkip, signal);
    const timeIds = [height, width, 0, 0, height, width];
    const common = { positive, guidanceScale, guidanceRescale, timeIds };
    if (guidanceScale <= 1) return common;
    const absent = settings.negativePrompt === undefined && this.#parts.index.zeroEmptyNegative;
    const negative = absent
      ? zeroConditioning(positive)
      : await this.#conditioner.encode(settings.negativePrompt ?? "", 0, signal);
    return { ...common, negative };
  }
}
