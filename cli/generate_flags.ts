/**
 * The flags that say what a picture is to be, shared by every command that makes pictures.
 *
 * @module
 */

import {
  CONVOLUTIONS,
  type GenerateOptions,
  Image,
  type Lora,
  LORA_MODES,
  type OpenOptions,
  PRECISIONS,
  schedulerNames,
} from "../mod.ts";
import {
  COMMON_FLAGS,
  defined,
  type FlagTable,
  type FlagValues,
  UsageError,
  whole,
} from "./flags.ts";
import { type Reporter, reporterOf } from "./reporter.ts";
import { PROVIDER_FLAGS, providersOf } from "./provider_flags.ts";
import {
  BESIDE_NETWORK_FLAGS,
  BESIDE_PICTURE_FLAGS,
  besideNetworks,
  besidePictures,
} from "./beside_flags.ts";
import { SIZE_FLAGS, sizeOptions } from "./size_flags.ts";
import { SPEED_FLAGS, speedOptions } from "./speed_flags.ts";
import { STEERING_FLAGS, steeringOptions, steeringPictures } from "./steering_flags.ts";

/** Flags of `latent generate`. */
export const GENERATE_FLAGS = {
  prompt: { kind: "text", value: "TEXT", short: "p", help: "what to draw" },
  "negative-prompt": {
    kind: "text",
    value: "TEXT",
    short: "n",
    aliases: ["negative"],
    help: "what to keep away from",
  },
  model: {
    kind: "text",
    value: "MODEL",
    short: "m",
    help: "a diffusers folder, single file or name on the Hub (the embedded model)",
  },
  offline: { kind: "switch", help: "open no socket: a model of the Hub must be in the cache" },
  config: { kind: "text", value: "DIR", help: "folder with a single file's configurations" },
  variant: { kind: "text", value: "NAME", help: "the model's files of a variant, such as fp16" },
  vae: {
    kind: "text",
    value: "PATH",
    help: "autoencoder in place of the model's: folder, file or Hub name; TAESD is quick",
  },
  refiner: {
    kind: "text",
    value: "MODEL",
    help: "SDXL's refiner, which draws the end: folder, file or Hub name",
  },
  ...SIZE_FLAGS,
  steps: { kind: "integer", range: [1, 100000], help: "denoising steps (25)" },
  "guidance-scale": {
    kind: "number",
    aliases: ["cfg-scale"],
    help: "how closely the prompt is followed; 1 or less: no guidance (7.5)",
  },
  guidance: {
    kind: "text",
    choices: ["cfg", "cfg++", "perp-neg", "apg"],
    help: "how the predictions with and without the prompt are combined",
  },
  "guidance-start": {
    kind: "number",
    range: [0, 1],
    help: "part of the run at which it begins (0)",
  },
  "guidance-end": { kind: "number", range: [0, 1], help: "part of the run at which it ends (1)" },
  "guidance-rescale": { kind: "number", range: [0, 1], help: "against over-exposure (0)" },
  seed: { kind: "integer", short: "s", help: "of torch's CPU generator (random)" },
  rng: {
    kind: "text",
    choices: ["cpu", "cuda", "numpy"],
    help: "whose random numbers: torch's on a CPU, torch's on CUDA, NumPy's (cpu)",
  },
  ensd: { kind: "integer", range: [0, 4294967295], help: "eta noise seed delta of A1111 (0)" },
  width: { kind: "integer", short: "W", range: [1, 65536], help: "pixels (the model's own)" },
  height: { kind: "integer", short: "H", range: [1, 65536], help: "pixels (the model's own)" },
  count: { kind: "integer", range: [1, 1e9], help: "pictures, with seeds S, S+1, ... (1)" },
  "clip-skip": { kind: "integer", range: [0, 100], help: "last text layers left out (0)" },
  scheduler: {
    kind: "text",
    value: "NAME",
    aliases: ["sampler", "sampling-method"],
    suggests: schedulerNames(),
    help: "a diffusers class or a name such as euler_a (the model's own)",
  },
  karras: { kind: "switch", help: "Karras sigmas" },
  exponential: { kind: "switch", help: "exponential sigmas" },
  "beta-sigmas": { kind: "switch", help: "sigmas by a beta distribution" },
  "timestep-spacing": {
    kind: "text",
    choices: ["leading", "linspace", "trailing"],
    help: "which timesteps are visited",
  },
  sigmas: { kind: "text", value: "LIST", help: "exact sigmas, falling to 0: 14.6,3.1,0.7,0" },
  timesteps: { kind: "text", value: "LIST", help: "exact timesteps, falling: 999,600,250,80" },
  "dynamic-thresholding": { kind: "switch", help: "clip each estimate by its own largest values" },
  "scheduler-option": {
    kind: "list",
    value: "NAME=VALUE",
    help: "any other option of the scheduler, such as momentum=0.3; may repeat",
  },
  "algorithm-type": { kind: "text", value: "NAME", help: "of the DPM-Solver family" },
  "zero-snr": { kind: "switch", help: "rescale the noise table to end in pure noise" },
  eta: { kind: "number", help: "share of fresh noise in DDIM (0)" },
  prediction: {
    kind: "text",
    choices: ["epsilon", "v_prediction", "sample"],
    help: "what the U-Net was trained to predict",
  },
  image: { kind: "text", value: "FILE", aliases: ["init-img"], help: "picture to begin in, or -" },
  strength: { kind: "number", range: [0, 1], help: "how much of the picture is made anew (0.8)" },
  mask: { kind: "text", value: "FILE", help: "bright where the picture is painted anew" },
  ...STEERING_FLAGS,
  ...SPEED_FLAGS,
  "prompt-syntax": {
    kind: "text",
    choices: ["auto", "a1111", "plain"],
    help: "how prompts are read; auto: as A1111 where its marks are unmistakable",
  },
  "long-prompt": {
    kind: "text",
    choices: ["chunk", "truncate"],
    help: "beyond 75 tokens: read in chunks, or cut off (chunk)",
  },
  wildcards: { kind: "text", value: "DIR", help: "folder of NAME.txt for __NAME__ in prompts" },
  "lora-dir": { kind: "text", value: "DIR", help: "where <lora:NAME:0.8> in prompts is found" },
  lora: { kind: "list", value: "FILE[:WEIGHT]", help: "LoRA of every picture; may repeat" },
  "lora-mode": {
    kind: "text",
    choices: LORA_MODES,
    help: "merged: no cost a step; runtime: no cost to change from one prompt to the next (merged)",
  },
  embedding: { kind: "list", value: "FILE", help: "textual inversion: a new word; may repeat" },
  ...BESIDE_NETWORK_FLAGS,
  ...BESIDE_PICTURE_FLAGS,
  "no-metadata": { kind: "switch", help: "do not write into the picture how it was made" },
  "hash-weights": { kind: "switch", help: "write the SHA-256 of large weight files into it, too" },
  "vae-tiling": { kind: "switch", help: "decode in tiles, as is done when memory is short" },
  "vae-tile-size": {
    kind: "integer",
    range: [32, 65536],
    help: "side of these tiles in pixels (the model's own size)",
  },
  "low-memory": {
    kind: "switch",
    help: "as little memory as can be: halves converted part by part, decoding in small tiles",
  },
  ...PROVIDER_FLAGS,
  precision: {
    kind: "text",
    choices: PRECISIONS,
    help:
      "float16 for GPUs, bfloat16 for openvino; int8 is faster on a CPU, int4 smallest (float32)",
  },
  convolution: {
    kind: "text",
    choices: CONVOLUTIONS,
    help: "of 3x3 kernels: winograd is faster for large models, with 1 GB in the cache (direct)",
  },
  output: {
    kind: "text",
    value: "PATH",
    short: "o",
    help: "file, folder/, template with {index} {seed} {prompt}, or -",
  },
  json: { kind: "switch", help: "events as JSON lines" },
  ...COMMON_FLAGS,
} as const satisfies FlagTable;

/** Parsed {@linkcode GENERATE_FLAGS}. */
export type GenerateFlags = FlagValues<typeof GENERATE_FLAGS>;

/** The options that all pictures of a run have in common. */
export function generateOptions(flags: GenerateFlags): Omit<GenerateOptions, "prompt" | "seed"> {
  return defined({
    negativePrompt: flags["negative-prompt"],
    promptSyntax: flags["prompt-syntax"],
    longPrompt: flags["long-prompt"],
    wildcards: flags.wildcards,
    steps: whole(flags.steps),
    guidanceScale: flags["guidance-scale"],
    guidanceRescale: flags["guidance-rescale"],
    guidance: flags.guidance,
    guidanceInterval: guidanceInterval(flags),
    sigmas: numbersOf("--sigmas", flags.sigmas),
    timesteps: numbersOf("--timesteps", flags.timesteps),
    rng: flags.rng,
    ensd: whole(flags.ensd),
    vaeTiling: flags["vae-tiling"],
    vaeTileSize: whole(flags["vae-tile-size"]),
    metadata: flags["no-metadata"] ? false : undefined,
    width: whole(flags.width),
    height: whole(flags.height),
    clipSkip: whole(flags["clip-skip"]),
    scheduler: flags.scheduler,
    strength: flags.strength,
    ...sizeOptions(flags),
    ...steeringOptions(flags),
    ...speedOptions(flags),
  });
}

/**
 * What is opened before the first picture; `hear` is told how that goes. Without it people are, on
 * standard error: only a command that reports events has them on standard output.
 */
export function openOptionsOf(
  flags: GenerateFlags,
  hear: Pick<Reporter, "warning" | "progress"> = reporterOf({ quiet: flags.quiet }),
): OpenOptions {
  const bytes = (name: string) => (done: number, total: number) =>
    hear.progress({ name, done, total, unit: "bytes" });
  return {
    onWarning: (message) => hear.warning(message),
    onDownload: bytes("fetching"),
    onHashing: bytes("hashing"),
    onConvert: bytes("preparing weights"),
    providers: providersOf(flags),
    ...defined({
      threads: whole(flags.threads),
      precision: flags.precision,
      convolution: flags.convolution,
      variant: flags.variant,
      offline: flags.offline,
      hashWeights: flags["hash-weights"],
      lowMemory: flags["low-memory"],
      fast: flags.fast,
      config: flags.config,
      vae: flags.vae,
      refiner: flags.refiner,
      loras: flags.lora?.map(loraOf),
      loraFolder: flags["lora-dir"],
      loraMode: flags["lora-mode"],
      embeddings: flags.embedding,
    }),
    ...besideNetworks(flags),
  };
}

/** `FILE` or `FILE:WEIGHT`; a colon of a Windows drive is part of the path. */
function loraOf(text: string): Lora {
  const parts = /^(.+):([+-]?(?:\d+\.?\d*|\.\d+))$/.exec(text);
  return parts ? { path: parts[1]!, weight: Number(parts[2]) } : { path: text };
}

/** The pictures that the flags name; `-` is standard input. */
export async function picturesOf(
  flags: GenerateFlags,
): Promise<Partial<GenerateOptions>> {
  const load = async (path: string | undefined) => {
    if (path === undefined) return undefined;
    return await Image.load(path === "-" ? await readAll(Deno.stdin.readable) : path);
  };
  return {
    ...defined({ image: await load(flags.image), mask: await load(flags.mask) }),
    ...await besidePictures(flags),
    ...await steeringPictures(flags),
  };
}

async function readAll(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** The scheduler's overrides. @throws {UsageError} for two kinds of sigmas. */
export function schedulerOptionsOf(
  flags: GenerateFlags,
): NonNullable<GenerateOptions["schedulerOptions"]> {
  const kinds = (["karras", "exponential", "beta-sigmas"] as const).filter((name) => flags[name]);
  if (kinds.length > 1) throw new UsageError(`Take one of --${kinds.join(" and --")}.`);
  const sigmas = { karras: "karras", exponential: "exponential", "beta-sigmas": "beta" } as const;
  return defined({
    ...Object.fromEntries((flags["scheduler-option"] ?? []).map(schedulerOption)),
    sigmaSchedule: kinds[0] && sigmas[kinds[0]],
    timestepSpacing: flags["timestep-spacing"],
    algorithmType: flags["algorithm-type"],
    rescaleBetasZeroSnr: flags["zero-snr"],
    thresholding: flags["dynamic-thresholding"],
    eta: flags.eta,
    predictionType: flags.prediction,
  });
}

/** `NAME=VALUE` as diffusers or this program spells the name; numbers and true, false are read. */
function schedulerOption(text: string): [name: string, value: string | number | boolean] {
  const parts = /^([A-Za-z_-]+)=(.+)$/.exec(text);
  if (!parts) throw new UsageError(`--scheduler-option takes NAME=VALUE; got "${text}".`);
  const name = parts[1]!.replace(/[_-](.)/g, (_, letter: string) => letter.toUpperCase());
  const word = parts[2]!;
  if (word === "true" || word === "false") return [name, word === "true"];
  const value = Number(word);
  return [name, Number.isNaN(value) ? word : value];
}

function guidanceInterval(flags: GenerateFlags): readonly [number, number] | undefined {
  const { "guidance-start": start = 0, "guidance-end": end = 1 } = flags;
  if (start > end) throw new UsageError("--guidance-start must not be above --guidance-end.");
  return start === 0 && end === 1 ? undefined : [start, end];
}

/** A list of numbers with commas between them. */
function numbersOf(flag: string, text: string | undefined): number[] | undefined {
  const numbers = text?.split(",").map((part) => part.trim() === "" ? NaN : Number(part));
  if (numbers?.every(Number.isFinite) ?? true) return numbers;
  throw new UsageError(`${flag} takes numbers with commas between them; got "${text}".`);
}
