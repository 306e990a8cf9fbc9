/** Options that every kind of training has. */
import { cpu, type Provider } from "../ffi/providers.ts";
import type { ModelOptions } from "../models/graph_model.ts";
import type { LearnedTokens } from "../pipeline/embeddings.ts";
import type { ModelParts } from "../pipeline/model_parts.ts";
import { builderOf as sessionBuilderOf } from "../pipeline/open_options.ts";
import type { SessionBuilder } from "../pipeline/session_builder.ts";
import { StableDiffusion } from "../pipeline/stable_diffusion.ts";
import { type LearningRate, learningRate, type SCHEDULES } from "./learning_rate.ts";
import { adam, adamw, lion, momentum, type Optimizer, rmsprop, sgd } from "./optimizers.ts";
import { TrainingError } from "./training_error.ts";

/** Optimizers by the names that the command line takes. */
export const OPTIMIZERS: Readonly<Record<string, () => Optimizer>> = {
  sgd,
  momentum,
  rmsprop,
  adam,
  adamw,
  lion,
};

/**
 * What networks may compute in while they are trained: "no" is float32, "fp16" float16 with a scaled
 * loss. bfloat16 is not among them: convolutions of ONNX opset 21 have no such type.
 */
export const MIXED_PRECISIONS = ["no", "fp16"] as const;

/** Options of every kind of training; absent ones take `RUN_DEFAULTS`. */
export interface RunOptions {
  /** A diffusers folder, a single file or a name on the Hub; absent: the embedded model. */
  readonly model?: string | undefined;
  /** Weight files of a variant, such as `fp16`. */
  readonly variant?: string | undefined;
  /** For a single file: a diffusers folder whose configurations and tokenizers are used. */
  readonly config?: string | undefined;
  /** Folder of the pictures to learn. */
  readonly images: string;
  /** Refuse the folder for one picture that cannot be read, rather than skip it. */
  readonly strict?: boolean | undefined;
  /** Where the result goes. */
  readonly output: string;
  /** Updates. */
  readonly steps?: number | undefined;
  /** Pictures in a batch. */
  readonly batch?: number | undefined;
  /** Batches whose gradients make one update. */
  readonly accumulate?: number | undefined;
  /** Learning rate at its highest. */
  readonly rate?: number | undefined;
  /** How the rate changes over the run. */
  readonly schedule?: (typeof SCHEDULES)[number] | undefined;
  /** Updates in which the rate rises from zero. */
  readonly warmUp?: number | undefined;
  /** A name of `OPTIMIZERS`. */
  readonly optimizer?: string | undefined;
  /** Longer gradients are shortened to this. */
  readonly clipNorm?: number | undefined;
  /** Decay of the average of the parameters, which is then what is saved. */
  readonly average?: number | undefined;
  /** Cap of min-SNR weighting. */
  readonly snrGamma?: number | undefined;
  /** Side of the pictures in pixels. Default: the model's. */
  readonly resolution?: number | undefined;
  /** Decides everything that is drawn. */
  readonly seed?: number | undefined;
  /** Goes on from the checkpoint beside the output. */
  readonly resume?: boolean | undefined;
  /** Updates between checkpoints. */
  readonly saveEvery?: number | undefined;
  /** Updates between samples, drawn by the model as it is; absent: none. */
  readonly sampleEvery?: number | undefined;
  /** What samples show. Default: the first picture's prompt. */
  readonly samplePrompts?: readonly string[] | undefined;
  /**
   * Recomputes activations block by block in the backward pass: less memory for a fifth more time.
   * Weights that the model's file has in half precision then stay there, on the processor.
   */
  readonly checkpointing?: boolean | undefined;
  /** What the networks compute in; what is trained is kept in float32 in either case. */
  readonly mixedPrecision?: (typeof MIXED_PRECISIONS)[number] | undefined;
  /** Execution providers in order of preference. Default: the CPU. */
  readonly providers?: readonly Provider[] | undefined;
  /** Threads within an operator. */
  readonly threads?: number | undefined;
  /** Path of ONNX Runtime's library. */
  readonly library?: string | undefined;
  /** Stops the run within a step, after a last checkpoint. */
  readonly signal?: AbortSignal | undefined;
}

/** Options that have the same default in every kind of training. */
export type RunDefaults = {
  readonly [
    K in
      | "steps"
      | "batch"
      | "accumulate"
      | "schedule"
      | "warmUp"
      | "optimizer"
      | "clipNorm"
      | "seed"
      | "saveEvery"
      | "resume"
      | "strict"
      | "checkpointing"
      | "mixedPrecision"
  ]-?: NonNullable<RunOptions[K]>;
};

/** What absent options of a run are. */
export const RUN_DEFAULTS: RunDefaults = Object.freeze({
  steps: 500,
  batch: 1,
  accumulate: 1,
  schedule: "constant",
  warmUp: 0,
  optimizer: "adamw",
  clipNorm: 1,
  seed: 0,
  saveEvery: 100,
  resume: false,
  strict: false,
  checkpointing: false,
  mixedPrecision: "no",
});

/** Options with the defaults filled in. */
export type RunSettings = RunOptions & RunDefaults;

/** Fills in the defaults. @throws {TrainingError} for a number out of range or an unknown name. */
export function runSettings(options: RunOptions): RunSettings {
  const given = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  );
  const settings = { ...RUN_DEFAULTS, ...given } as RunSettings;
  for (const option of ["steps", "batch", "accumulate", "saveEvery", "sampleEvery"] as const) {
    const value = settings[option];
    if (value === undefined || (Number.isSafeInteger(value) && value >= 1)) continue;
    throw new TrainingError(
      option,
      `Cannot train: ${option} must be a whole number from 1 on; got ${value}.`,
    );
  }
  if (!MIXED_PRECISIONS.includes(settings.mixedPrecision)) {
    throw new TrainingError(
      "mixedPrecision",
      `Cannot train in ${settings.mixedPrecision}: expected one of ${MIXED_PRECISIONS.join(", ")}.`,
    );
  }
  if (Object.hasOwn(OPTIMIZERS, settings.optimizer)) return settings;
  throw new TrainingError(
    "optimizer",
    `Cannot train with the optimizer "${settings.optimizer}": expected one of ` +
      `${Object.keys(OPTIMIZERS).join(", ")}.`,
  );
}

/** How networks are built for a run. */
export function networkOptions(
  { mixedPrecision, checkpointing, providers = [cpu()] }: RunSettings,
): Pick<ModelOptions, "dtype" | "lateWeights"> {
  return {
    ...(mixedPrecision === "fp16" && { dtype: "float16" }),
    // Weights that were converted for the forward pass would be kept for the backward pass, unless
    // that converts them again; other providers have them in half precision as they are.
    lateWeights: checkpointing && providers.every(({ via }) => via === "builtin"),
  };
}

/** The optimizer of a run. */
export function optimizerOf({ optimizer }: RunSettings): Optimizer {
  return OPTIMIZERS[optimizer]!();
}

/** The rate of each update. */
export function rateOf({ schedule, steps, warmUp }: RunSettings, rate: number): LearningRate {
  return learningRate(schedule, { rate, steps, warmUpSteps: warmUp });
}

/** What builds the sessions of a run. */
export function builderOf(options: RunOptions): SessionBuilder {
  return sessionBuilderOf(sessionOptions(options));
}

/** A pipeline of the run's model as it is now, with the words that it has learned, by text encoder. */
export function pipelineOf(
  parts: ModelParts,
  options: RunOptions,
  learned?: readonly LearnedTokens[],
): StableDiffusion {
  return StableDiffusion.ofParts(parts, learned, sessionOptions(options));
}

function sessionOptions({ providers = [cpu()], threads, library }: RunOptions) {
  return {
    providers,
    ...(threads !== undefined && { threads }),
    ...(library !== undefined && { library }),
  };
}

/**
 * The options that decide what a run learns from and what it changes, as text: a checkpoint fits
 * only them. Rates, lengths and what belongs to the machine may be others when it goes on.
 */
export function identityOf(kind: string, settings: RunSettings, extra: object): string {
  const {
    model,
    config,
    images,
    batch,
    accumulate,
    optimizer,
    average,
    snrGamma,
    resolution,
    seed,
    mixedPrecision,
  } = settings;
  return JSON.stringify({
    kind,
    model,
    config,
    images,
    batch,
    accumulate,
    optimizer,
    average,
    snrGamma,
    resolution,
    seed,
    // Absent as it was before there was such an option, so that old checkpoints still fit.
    ...(mixedPrecision !== "no" && { mixedPrecision }),
    ...extra,
  });
}
