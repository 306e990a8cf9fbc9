/**
 * The pipeline: a model's parts, composed to draw.
 *
 * @module
 */

import type { Provider } from "../ffi/providers.ts";
import { etaNoiseSeed } from "../schedulers/random/mix.ts";
import { denoise } from "../schedulers/denoise.ts";
import type { Plan, Stage } from "../schedulers/plan.ts";
import type { NormalSource } from "../schedulers/random/normal_source.ts";
import { noiseSource } from "../schedulers/noise_source.ts";
import { randomSource } from "./random_source.ts";
import { guidedPrompt } from "./guided_prompt.ts";
import { denoiseHires } from "./hires.ts";
import { Autoencoder, type Latents, type LatentSize } from "./autoencoder.ts";
import { batchSize } from "./batch_size.ts";
import { type ExportedNetwork, exportOnnx, type ExportOptions } from "./export_onnx.ts";
import { chooseScheduler } from "./choose_scheduler.ts";
import { isPlainGuidance } from "./device_run.ts";
import { runOnDevice } from "./device_steps.ts";
import { type Frame, interpolate } from "./interpolate.ts";
import { generateMany, type ManyOptions } from "./generate_many.ts";
import type { InterpolateOptions } from "./walk_options.ts";
import { openControlNet } from "./control_nets.ts";
import { addEmbeddings, type LearnedTokens } from "./embeddings.ts";
import { type Lora, mergeLoras } from "./lora.ts";
import type { Network } from "./model_parts.ts";
import { openModel, openPreview } from "./open_model.ts";
import { builderOf, type OpenOptions } from "./open_options.ts";
import type { ControlNetConfig } from "../models/controlnet_config.ts";
import type { Image } from "./image.ts";
import { pictureTexts } from "./metadata_record.ts";
import { FactsGatherer } from "./picture_facts.ts";
import type { ModelParts } from "./model_parts.ts";
import { requireWeights } from "./onnx_folder.ts";
import { isPulled, PicturePulls } from "./picture_pulls.ts";
import { asOption, DEFAULTS, type GenerateOptions, OptionError } from "./options.ts";
import { LoraSwitch, PromptedNetworks } from "./prompt_loras.ts";
import { readPrompt, sectionsOf } from "./prompt_syntax.ts";
import { type PromptToken, promptTokens } from "./prompt_tokens.ts";
import {
  ImagePrompter,
  type IpAdapterParts,
  mergeFaceLoras,
  openIpAdapter,
} from "./image_prompts.ts";
import { openT2iAdapter, T2iAdapters } from "./t2i_adapters.ts";
import type { T2iAdapterConfig } from "../models/t2i_adapter.ts";
import { denoiseRefined, isRefined } from "./refine.ts";
import { checkConvolution, checkPrecision, type Precision, precisionOf } from "./precision.ts";
import { paintingOf, startRun, unetKind, variation } from "./run_start.ts";
import { fastSteps, fastWeights } from "./fast.ts";
import { type Beside, type Settings, settingsFor } from "./settings.ts";
import type { SessionBuilder } from "./session_builder.ts";
import type { Step } from "./step.ts";
import type { TensorSource } from "../weights/stored_tensor.ts";
import type { Conditioning, EncodablePrompt } from "./text_conditioning.ts";

const NOTHING_LEARNED: LearnedTokens = { ids: [], vectors: new Float32Array() };

/** A model ready to draw. Owns native memory: dispose it, or write `await using`. */
export class StableDiffusion implements AsyncDisposable {
  readonly #parts: ModelParts;
  readonly #beside: Beside;
  readonly #switch: LoraSwitch;
  readonly #deviceLoop: boolean;
  readonly #lowMemory: boolean;
  /** LoRAs that are inputs of the networks, not merged. */
  readonly #always: readonly Lora[];
  readonly #autoencoder: Autoencoder;
  readonly #previewer: Autoencoder;
  readonly #imagePrompter: ImagePrompter;
  readonly #adapters: T2iAdapters;
  readonly #pulls: PicturePulls;
  readonly #facts: FactsGatherer;
  readonly #refiner: StableDiffusion | undefined;
  #unetBytes: number | undefined;
  /** Execution providers in order of preference. */
  readonly providers: readonly Provider[];
  /** Of the large networks' weights. */
  readonly precision: Precision;

  private constructor(
    parts: ModelParts,
    preview: Pick<ModelParts, "vae">,
    learned: readonly LearnedTokens[],
    controlNets: readonly Network<ControlNetConfig>[],
    pictures: {
      readonly ipAdapters: readonly IpAdapterParts[];
      readonly t2iAdapters: readonly Network<T2iAdapterConfig>[];
      readonly clipVae: Pick<ModelParts, "vae">;
    },
    builder: SessionBuilder,
    options: OpenOptions,
    refiner?: StableDiffusion,
  ) {
    this.#refiner = refiner;
    this.precision = precisionOf(options) ?? "float32";
    this.#parts = parts;
    this.#beside = {
      controls: controlNets.length,
      imagePrompts: pictures.ipAdapters.length,
      adapters: pictures.t2iAdapters.length,
      refiner: refiner !== undefined,
    };
    const base = new PromptedNetworks(parts, learned, controlNets, builder);
    const { loraFolder: folder, loraMode: mode = "merged", loras = [], onWarning } = options;
    this.#always = mode === "merged" ? [] : loras;
    this.#switch = new LoraSwitch(base, {
      folder,
      mode,
      always: this.#always,
      ignores: parts.index.isRefiner,
      onWarning,
    });
    this.#autoencoder = new Autoencoder(parts, builder);
    this.#previewer = preview.vae === parts.vae
      ? this.#autoencoder
      : new Autoencoder(preview, builder);
    this.#imagePrompter = new ImagePrompter(pictures.ipAdapters, builder);
    this.#adapters = new T2iAdapters(pictures.t2iAdapters, builder);
    this.#pulls = new PicturePulls({
      parts,
      vae: pictures.clipVae.vae,
      builder,
      clip: options.clip,
    });
    this.providers = builder.options.providers;
    this.#lowMemory = options.lowMemory ?? false;
    this.#deviceLoop = options.deviceLoop ?? this.providers[0]?.via === "cuda";
    this.#facts = new FactsGatherer(parts, builder, { ...options, precision: this.precision });
  }

  /**
   * Opens a diffusers folder, a single file, a name on the Hub, or the embedded model. Reads
   * configurations and the headers of the weight files only; networks are built when first used.
   *
   * @throws {ModelFormatError} for a folder that cannot be used, naming the file.
   * @throws {LibraryNotFoundError} where there is no ONNX Runtime.
   */
  static async open(model?: string, given: OpenOptions = {}): Promise<StableDiffusion> {
    const { loras = [], embeddings = [], fast } = given;
    checkPrecision(given.precision, given.providers);
    checkConvolution(given.convolution, given.precision, given.providers);
    const parts = await openModel(model, given);
    const options = { ...given, ...(fast && fastWeights(parts, given.providers, given)) };
    requireNetworks(parts, options);
    const preview = await openPreview(parts, options);
    const learned = await addEmbeddings(parts.textEncoders, embeddings);
    const adapted = await mergeLoras(parts, options.loraMode === "runtime" ? [] : loras);
    const controlNets = await Promise.all((options.controlNets ?? []).map(openControlNet));
    const crossDim = parts.unet.config.downBlocks.at(-1)!.crossAttentionDim;
    const pictures = {
      ipAdapters: await Promise.all(
        (options.ipAdapters ?? []).map((adapter) => openIpAdapter(adapter, crossDim)),
      ),
      t2iAdapters: await Promise.all((options.t2iAdapters ?? []).map(openT2iAdapter)),
      clipVae: await openPreview(parts, { ...options, previewVae: options.clipVae }),
    };
    const builder = builderOf(options);
    return new StableDiffusion(
      await mergeFaceLoras(adapted, pictures.ipAdapters),
      preview,
      learned,
      controlNets,
      pictures,
      builder,
      options,
      await openRefiner(parts, options),
    );
  }

  /**
   * A pipeline of parts that are open already, with the words that were `learned`, by text encoder;
   * what the other options name is not opened. Everyone else wants {@linkcode StableDiffusion.open}.
   */
  static ofParts(
    parts: ModelParts,
    learned: readonly LearnedTokens[] = parts.textEncoders.map(() => NOTHING_LEARNED),
    options: Pick<OpenOptions, "providers" | "library" | "threads" | "onWarning"> = {},
  ): StableDiffusion {
    const pictures = { ipAdapters: [], t2iAdapters: [], clipVae: parts };
    return new StableDiffusion(
      parts,
      parts,
      learned,
      [],
      pictures,
      builderOf(options),
      options,
    );
  }

  /** Draws one picture. @throws {OptionError} for options that this model cannot draw with. */
  async generate(options: GenerateOptions): Promise<Image> {
    const settings = this.settings(options);
    let last: Step | undefined;
    for await (const step of this.denoise(settings, { lazy: true })) last = step;
    return await this.decode(last!.latents, settings);
  }

  /**
   * Draws many pictures, several of them in one run of the U-Net where that is faster, or as many as
   * `batch` says; yields what came of each, in order. Each is what it would be alone.
   */
  generateMany(
    pictures: Iterable<GenerateOptions> | AsyncIterable<GenerateOptions>,
    options: ManyOptions = {},
  ): AsyncGenerator<PromiseSettledResult<Image>, void, void> {
    return generateMany(this, pictures, options);
  }

  /**
   * Whether a picture of a batch would be the picture drawn alone. Not with int8, whose activations
   * have one scale for all: pictures drawn in step then have the U-Net to themselves.
   */
  get canBatch(): boolean {
    return this.precision !== "int8";
  }

  /** How many pictures like this one are best drawn in step: more than 1 for small models only. */
  batchSize({ width, height }: Settings): number {
    if (!this.canBatch || this.#parts.unet.onnx) return 1;
    const { factor } = this.#parts.vae.config;
    return batchSize({
      weights: this.#unetBytes ??= float32Bytes(this.#parts.unet.weights),
      places: (width / factor) * (height / factor),
      onProcessor: this.#isOnProcessor,
    });
  }

  /**
   * Denoises step by step: look inside, and stop by `break` or by the signal. `lazy`: what a step
   * holds may be copied from the device when it is read, which then must be before the next step.
   *
   * @throws {OptionError} for options that this model cannot draw with.
   */
  async *denoise(
    options: GenerateOptions,
    { lazy = false }: { readonly lazy?: boolean } = {},
  ): AsyncGenerator<Step, void, void> {
    const settings = this.settings(options);
    if (settings.hires) {
      yield* denoiseHires(this, settings, settings.hires, this.#parts.vae.config.factor);
      return;
    }
    const normal = randomSource(settings.rng ?? "cpu", settings.seed);
    const refiner = this.#refiner;
    if (!refiner || !isRefined(settings)) {
      yield* this.#steps(settings, normal, lazy);
      return;
    }
    yield* denoiseRefined(
      { sd: this, steps: (own) => this.#steps(own, normal) },
      { sd: refiner, steps: (own) => refiner.#steps(own, normal) },
      settings,
    );
  }

  /** The steps of this model alone, with random numbers from `normal` on. */
  async *#steps(
    settings: Settings,
    normal: NormalSource,
    lazy = false,
  ): AsyncGenerator<Step, void, void> {
    const { seed, signal, rng = "cpu", ensd = 0 } = settings;
    const plan = this.plan(settings);
    const size = this.#latentSize(settings);
    const { latents, keep, ...beside } = await startRun(this.#parts, settings, {
      plan,
      size,
      noise: normal,
      vary: variation(settings, size),
      autoencoder: this.#autoencoder,
      signal,
    });

    const own = etaNoiseSeed(BigInt(seed), ensd);
    const fresh = own === undefined ? normal : randomSource(rng, own);
    const noise = noiseSource(plan, fresh, latents.length, seed);
    const { networks, prompt } = await guidedPrompt(settings, plan, {
      parts: this.#parts,
      loras: this.#switch,
      imagePrompter: this.#imagePrompter,
      adapters: this.#adapters,
    });
    const whole = { ...prompt, ...beside }, scale = settings.guidanceScale;
    const seat = this.canBatch ? settings.seat : undefined, { asBatchOf } = settings;
    const isAlone = !seat && asBatchOf === undefined;
    const isPlain = isPlainGuidance(settings) && !isPulled(settings);
    if (this.#deviceLoop && isAlone && !keep && isPlain) {
      const parts = { plan, prompt: whole, scale, size, latents, noise };
      const prepared = await networks.predictor.onDevice(parts);
      if (prepared) {
        const steps = runOnDevice(prepared, plan, size, signal);
        for await (const step of steps) yield lazy ? step : copied(step);
        return;
      }
    }
    using run = networks.predictor.prepare(whole, size, { signal, seat, asBatchOf });
    const count = plan.stages.length;
    using pull = await this.#pulls.of(settings, size);
    const predict = async (input: Float32Array, stage: Stage, index: number) => {
      const prediction = await run.predict(input, { stage, index, count });
      await pull?.apply(input, prediction, stage);
      return prediction;
    };
    for await (const step of denoise(plan, latents, predict, noise, signal ? { signal } : {})) {
      keep?.(latents, step.index);
      yield {
        ...step,
        latents: { ...size, data: latents.slice() },
        denoised: { ...size, data: step.denoised.slice() },
      };
    }
  }

  /** Draws frames on the way between prompts and seeds; see `interpolate`. */
  interpolate(options: InterpolateOptions): AsyncGenerator<Frame, void, void> {
    return interpolate(this, options);
  }

  /**
   * Writes the networks as ONNX files, with LoRAs merged in, each to `folder/NAME/model.onnx` with
   * its weights beside it. Default size: the model's own.
   */
  async *exportOnnx(
    folder: string,
    options: Partial<ExportOptions> = {},
  ): AsyncGenerator<ExportedNetwork, void, void> {
    const { width, height } = this.settings({ prompt: "", ...options });
    const merged = await mergeLoras(this.#parts, this.#always);
    yield* exportOnnx(merged, folder, { ...options, width, height });
  }

  /**
   * Encodes a prompt, with the text encoder's last `clipSkip` layers left out.
   *
   * @throws {OptionError} for a prompt that is more than a text: scheduled, composed by `AND`, or
   * with LoRAs.
   */
  async encode(
    prompt: string,
    options: Pick<GenerateOptions, "clipSkip" | "promptSyntax" | "longPrompt"> = {},
  ): Promise<Conditioning> {
    const { clipSkip, promptSyntax, longPrompt } = { ...DEFAULTS, ...options };
    const { composed: [first, second], loras, grammar } = readPrompt(prompt, promptSyntax, 1000);
    if (second || first!.schedule.length > 1 || loras.length > 0) {
      throw new OptionError(
        "prompt",
        `Cannot encode ${JSON.stringify(prompt)}: its words change on the way, AND composes ` +
          "several, or it names LoRAs, which change the U-Net, too. Give LoRAs to open().",
      );
    }
    const { networks, loras: fed } = await this.#switch.networks();
    const sections = sectionsOf(first!.schedule[0]!.text, grammar);
    return await networks.conditioner.encode({ sections, longPrompt, clipSkip, loras: fed });
  }

  /** The tokens of a prompt as the first text encoder reads it at the first step, with weights. */
  tokens(
    prompt: string,
    options: Pick<GenerateOptions, "promptSyntax" | "longPrompt"> = {},
  ): PromptToken[] {
    const { promptSyntax, longPrompt, clipSkip } = { ...DEFAULTS, ...options };
    const { composed, grammar } = readPrompt(prompt, promptSyntax, DEFAULTS.steps);
    const encodable = composed.map(({ schedule }): EncodablePrompt => ({
      sections: sectionsOf(schedule[0]!.text, grammar),
      longPrompt,
      clipSkip,
    }));
    return promptTokens(this.#switch.base.conditioner, encodable);
  }

  /** The end of the prompts that does not fit and is cut off; empty where all does. */
  cutOff({ prompt, negativePrompt = "", ...options }: Settings): string {
    const cut = [prompt, negativePrompt].flatMap((text) => this.tokens(text, options))
      .filter(({ isCut }) => isCut);
    return cut.map(({ text }) => text.replace("</w>", " ")).join("").trim();
  }

  /** The noise N(0, I) that a run with these settings begins in, from their own generator. */
  startingNoise(settings: Settings): Latents {
    const size = this.#latentSize(settings);
    const count = size.channels * size.height * size.width;
    const noise = randomSource(settings.rng ?? "cpu", settings.seed).normal(count);
    return { ...size, data: variation(settings, size)?.(noise) ?? noise };
  }

  /** Decodes latents into a picture; with `settings`, these are written into its file. */
  async decode(latents: Latents, settings?: Settings): Promise<Image> {
    const decoded = await this.#autoencoder.decode(latents, {
      tiling: settings?.vaeTiling,
      tileSize: settings?.vaeTileSize,
      signal: settings?.signal,
    });
    const image = settings ? paintingOf(settings)?.finish(decoded) ?? decoded : decoded;
    if (settings && (settings.metadata ?? true)) {
      const recorded = { ...settings, ...this.#asDrawn(settings) };
      Object.assign(image.text, pictureTexts(recorded, await this.#facts.gather(settings)));
    }
    return image;
  }

  /** Decodes latents into a picture by the autoencoder for previews, the model's own by default. */
  preview(latents: Latents, signal?: AbortSignal): Promise<Image> {
    return this.#previewer.decode(latents, { signal });
  }

  /**
   * The plan of a run: every timestep, with its row of weights.
   *
   * @throws {OptionError} for a scheduler that is not known, or that cannot do what is asked.
   */
  plan(options: GenerateOptions): Plan {
    const settings = this.settings(options);
    const { image, latents, mask, extend, strength } = settings;
    const { steps, timesteps, sigmas, denoisingStart, denoisingEnd } = settings;
    const begins = (image || latents) && unetKind(this.#parts) !== "edit" &&
      denoisingStart === undefined;
    const part = begins ? strength ?? (mask || extend ? 1 : 0.8) : undefined;
    return asOption("scheduler", () => {
      return chooseScheduler(this.#parts.schedulerConfig, settings).plan({
        ...(timesteps ? { timesteps } : sigmas ? { sigmas } : { steps }),
        ...(part !== undefined && { strength: part }),
        ...(denoisingStart !== undefined && { denoisingStart }),
        ...(denoisingEnd !== undefined && { denoisingEnd }),
      });
    });
  }

  /** All options of one picture: checked, and with the defaults of the model's files. */
  settings({ fast, ...given }: GenerateOptions): Settings {
    const tiles = this.#lowMemory ? { vaeTiling: true, vaeTileSize: 256 } : {};
    const settings = settingsFor(this.#parts, this.#beside, { ...tiles, ...given });
    if (!fast || settings.stepCache) return settings;
    return { ...settings, ...fastSteps(this.#parts, this.plan(settings)) };
  }

  /** Releases all sessions. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#switch[Symbol.dispose]();
    this.#autoencoder[Symbol.dispose]();
    this.#previewer[Symbol.dispose]();
    this.#imagePrompter[Symbol.dispose]();
    this.#adapters[Symbol.dispose]();
    await this.#refiner?.[Symbol.asyncDispose]();
    this.#pulls[Symbol.dispose]();
  }

  /**
   * What an exact replay of a picture of a batch needs. ONNX Runtime's kernels for a processor give
   * each row of a batch the same bits, however many there are from two on.
   */
  #asDrawn({ seat }: Settings): Pick<GenerateOptions, "asBatchOf"> {
    if (!seat || !this.canBatch || (this.#isOnProcessor && !seat.askedOne)) return {};
    return { asBatchOf: this.#isOnProcessor ? 2 : seat.count };
  }

  get #isOnProcessor(): boolean {
    return this.providers.every(({ via }) => via === "builtin");
  }

  #latentSize({ width, height }: Settings): LatentSize {
    const { factor, latentChannels } = this.#parts.vae.config;
    return { channels: latentChannels, height: height / factor, width: width / factor };
  }
}

/** The step with all that it holds. */
function copied({ latents, denoised, ...step }: Step): Step {
  return { ...step, latents: { ...latents }, denoised: { ...denoised } };
}

/** What weights take as float32. */
function float32Bytes(weights: TensorSource): number {
  const sizes = [...weights.names()].map((name) => weights.get(name)!.shape);
  return 4 * sizes.reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0);
}

/** What changes networks needs their weights. @throws {ModelFormatError} */
function requireNetworks(parts: ModelParts, options: OpenOptions): void {
  const given = (list: readonly unknown[] | undefined) => (list?.length ?? 0) > 0;
  const { precision = "float32" } = options;
  if (!["float32", "bfloat16"].includes(precision)) requireWeights(parts, "quantize");
  if (given(options.loras)) requireWeights(parts, "merge LoRAs into");
  if (given(options.embeddings)) requireWeights(parts, "teach words to");
  if (given(options.controlNets)) requireWeights(parts, "use ControlNets with");
  if (given(options.ipAdapters)) requireWeights(parts, "use IP-Adapters with");
  if (given(options.t2iAdapters)) requireWeights(parts, "use T2I-Adapters with");
}

/** The model that draws the ends of runs; LoRAs, ControlNets and the like are the base's alone. */
async function openRefiner(
  { index }: ModelParts,
  options: OpenOptions,
): Promise<StableDiffusion | undefined> {
  const { refiner, loras: _l, embeddings: _e, controlNets: _c, config: _f, ...common } = options;
  if (refiner === undefined) return undefined;
  const { ipAdapters: _i, t2iAdapters: _t, vae: _v, previewVae: _p, ...rest } = common;
  if (index.family === "sdxl" && !index.isRefiner) return await StableDiffusion.open(refiner, rest);
  throw new OptionError("refiner", "Cannot open a refiner: only SDXL's base model is refined.");
}
