/**
 * The flags of `latent train`: those of every kind, and each kind's own.
 *
 * @module
 */

import {
  type LoraOptions,
  RUN_DEFAULTS as D,
  type RunOptions as TrainingOptions,
} from "../training/mod.ts";
import { COMMON_FLAGS, type FlagTable, type FlagValues, UsageError, whole } from "./flags.ts";
import { GENERATE_FLAGS } from "./generate_flags.ts";
import { PROVIDER_FLAGS, providersOf } from "./provider_flags.ts";

/** Flags of every kind of training. */
export const TRAIN_FLAGS = {
  model: GENERATE_FLAGS.model,
  config: {
    kind: "text",
    value: "DIR",
    help: "for a single file: a diffusers folder whose configurations it has",
  },
  variant: GENERATE_FLAGS.variant,
  images: {
    kind: "text",
    value: "DIR",
    help: "pictures to learn; captions in captions.tsv (name, tab, text) or NAME.txt beside",
  },
  strict: { kind: "switch", help: "refuse the folder for one picture that cannot be read" },
  output: { kind: "text", value: "PATH", short: "o", help: "where the result goes" },
  steps: { kind: "integer", range: [1, 1e7], help: `updates (${D.steps})` },
  batch: { kind: "integer", range: [1, 4096], help: `pictures in a batch (${D.batch})` },
  accumulate: {
    kind: "integer",
    range: [1, 4096],
    help: `batches whose gradients make one update (${D.accumulate})`,
  },
  "learning-rate": { kind: "number", range: [0, 100], help: "at its highest (by kind)" },
  schedule: {
    kind: "text",
    choices: ["constant", "cosine", "one-cycle"],
    help: "of the learning rate (constant)",
  },
  "warm-up": { kind: "integer", range: [0, 1e7], help: "updates in which the rate rises (0)" },
  optimizer: {
    kind: "text",
    choices: ["sgd", "momentum", "rmsprop", "adam", "adamw", "lion"],
    help: `how the gradient is followed (${D.optimizer})`,
  },
  "clip-norm": {
    kind: "number",
    range: [0, Infinity],
    help: `longest gradient, longer ones are shortened (${D.clipNorm})`,
  },
  ema: { kind: "number", range: [0, 1], help: "decay of an average of the weights, then saved" },
  "snr-gamma": { kind: "number", range: [0, Infinity], help: "min-SNR weighting, such as 5" },
  resolution: { kind: "integer", range: [8, 8192], help: "side in pixels (the model's)" },
  "mixed-precision": {
    kind: "text",
    choices: ["no", "fp16"],
    help: "fp16 for GPUs: half the memory of the networks; on a CPU slower (no)",
  },
  checkpointing: {
    kind: "switch",
    help: "less memory, least with half-precision weights; a fifth more time",
  },
  seed: {
    kind: "integer",
    short: "s",
    range: [0, 2 ** 53],
    help: `of all that is drawn (${D.seed})`,
  },
  resume: { kind: "switch", help: "go on from the checkpoint beside the output" },
  "save-every": {
    kind: "integer",
    range: [1, 1e7],
    help: `updates between checkpoints (${D.saveEvery})`,
  },
  report: {
    kind: "text",
    value: "FILE.html",
    help: "a page with the losses, the rate, samples, settings, time and memory",
  },
  "sample-every": {
    kind: "integer",
    range: [1, 1e7],
    help: "updates between the report's samples (a quarter of the run)",
  },
  "sample-prompt": {
    kind: "list",
    value: "TEXT",
    help: "what samples show; repeat for more (the first picture's prompt)",
  },
  ...PROVIDER_FLAGS,
  json: GENERATE_FLAGS.json,
  ...COMMON_FLAGS,
} as const satisfies FlagTable;

/** Flags of `latent train textual-inversion`. */
export const TEXTUAL_INVERSION_FLAGS = {
  token: { kind: "text", value: "WORD", help: "the new word, such as <cat-toy>" },
  "init-word": { kind: "text", value: "WORD", help: "known word that it begins as" },
  vectors: { kind: "integer", range: [1, 64], help: "vectors that the word becomes (1)" },
  prompt: {
    kind: "list",
    value: "TEXT",
    help: "prompts for pictures without captions, {} the word",
  },
  ...TRAIN_FLAGS,
} as const satisfies FlagTable;

/** What LoRA and DreamBooth have in common. */
const CONCEPT_FLAGS = {
  prompt: { kind: "text", value: "TEXT", help: "prompt of pictures without a caption" },
  token: { kind: "text", value: "WORD", help: "word added to every caption" },
  "class-images": { kind: "text", value: "DIR", help: "pictures of the class to keep as it is" },
  "class-prompt": { kind: "text", value: "TEXT", help: "their prompt" },
  "class-count": {
    kind: "integer",
    range: [1, 1e5],
    help: "how many; the model draws those that are missing, and they stay (OUTPUT.class/)",
  },
  "prior-weight": { kind: "number", range: [0, Infinity], help: "their weight in the loss (1)" },
  "text-encoder": { kind: "switch", help: "train the text encoder too" },
} as const satisfies FlagTable;

/** Flags of `latent train dreambooth`. */
export const DREAMBOOTH_FLAGS = { ...CONCEPT_FLAGS, ...TRAIN_FLAGS } as const satisfies FlagTable;

/** Flags of `latent train lora`. */
export const LORA_FLAGS = {
  rank: { kind: "integer", range: [1, 4096], help: "of the matrices (4)" },
  alpha: { kind: "number", help: "the change is multiplied by alpha / rank (the rank)" },
  targets: {
    kind: "text",
    choices: ["attention", "all"],
    help: "layers that change (attention)",
  },
  names: { kind: "text", choices: ["kohya", "peft"], help: "spelling of the file (kohya)" },
  ...DREAMBOOTH_FLAGS,
} as const satisfies FlagTable;

/** The options of every kind. */
export function trainingOptions(flags: FlagValues<typeof TRAIN_FLAGS>): TrainingOptions {
  return {
    model: flags.model,
    config: flags.config,
    variant: flags.variant,
    images: required("images", flags.images),
    strict: flags.strict,
    output: required("output", flags.output),
    steps: whole(flags.steps),
    batch: whole(flags.batch),
    accumulate: whole(flags.accumulate),
    rate: flags["learning-rate"],
    schedule: flags.schedule,
    warmUp: whole(flags["warm-up"]),
    optimizer: flags.optimizer,
    clipNorm: flags["clip-norm"],
    average: flags.ema,
    snrGamma: flags["snr-gamma"],
    resolution: whole(flags.resolution),
    checkpointing: flags.checkpointing,
    mixedPrecision: flags["mixed-precision"],
    seed: whole(flags.seed),
    resume: flags.resume,
    ...sampling(flags),
    saveEvery: whole(flags["save-every"]),
    threads: whole(flags.threads),
    providers: providersOf(flags),
  };
}

/** Samples are for the report: without one nothing is drawn. */
function sampling(
  { report, steps = BigInt(D.steps), ...flags }: FlagValues<typeof TRAIN_FLAGS>,
): Pick<TrainingOptions, "sampleEvery" | "samplePrompts"> {
  const every = whole(flags["sample-every"]), prompts = flags["sample-prompt"];
  if (report !== undefined) {
    return { sampleEvery: every ?? Math.ceil(Number(steps) / 4), samplePrompts: prompts };
  }
  if (every === undefined && prompts === undefined) return {};
  throw new UsageError("--sample-every and --sample-prompt are for --report FILE.html.");
}

/** The options of LoRA and DreamBooth beside those of every kind. */
export function conceptOptions(
  flags: FlagValues<typeof CONCEPT_FLAGS>,
): Omit<LoraOptions, keyof TrainingOptions> {
  return {
    prompt: flags.prompt,
    token: flags.token,
    classImages: flags["class-images"],
    classPrompt: flags["class-prompt"],
    classCount: whole(flags["class-count"]),
    priorWeight: flags["prior-weight"],
    textEncoder: flags["text-encoder"],
  };
}

/** A flag without which nothing can be done. */
export function required(name: string, value: string | undefined): string {
  if (value !== undefined) return value;
  throw new UsageError(`--${name} is missing. See latent train --help.`);
}
