/**
 * `latent explain model FILE`: what a file of weights is.
 *
 * @module
 */

import { checkpointConfigs } from "../models/checkpoint_configs.ts";
import { isCheckpoint, openCheckpoint } from "../models/checkpoint.ts";
import { clipTextModel } from "../models/clip_text.ts";
import { unet } from "../models/unet.ts";
import { decoderGraph, encoderGraph } from "../models/autoencoder_graphs.ts";
import type { ModelParts } from "../pipeline/model_parts.ts";
import { openModel } from "../pipeline/open_model.ts";
import { readEmbeddingFile } from "../weights/embedding_file.ts";
import { readLoraFile } from "../weights/lora_file.ts";
import { ModelFormatError } from "../weights/model_format_error.ts";
import { openWeights } from "../weights/open_weights.ts";
import { toFloat32 } from "../weights/read.ts";
import { elementCount, type TensorSource } from "../weights/stored_tensor.ts";
import type { Claim, Report } from "./report.ts";
import type { Laboratory, Topic } from "./topic.ts";

/** What was found out about one file or folder. */
interface Findings {
  readonly kind: string;
  readonly facts: readonly (readonly [string, string])[];
  /** By part. */
  readonly sources: Readonly<Record<string, TensorSource>>;
  readonly claims: readonly Claim[];
}

async function run({ subject, progress, parts, isEmbedded }: Laboratory): Promise<Report> {
  progress("reading headers");
  const found = subject === undefined
    ? wholeModel(parts, isEmbedded ? "the embedded model" : parts.path)
    : await examine(subject);
  const rows = [], histogram = new Map<number, number>();
  let broken = 0, firstBroken = "";
  for (const [part, source] of Object.entries(found.sources)) {
    progress(`scanning ${part}`);
    const scan = await scanned(source, histogram);
    broken += scan.broken;
    firstBroken ||= scan.firstBroken;
    rows.push([part, scan.tensors, scan.numbers, scan.dtypes, scan.bytes / 2 ** 20, scan.largest]);
  }
  return {
    topic: "model",
    title: "A file of weights",
    summary: "A model is a list of named tensors, and a program that knows what to do with them. " +
      "The names and shapes tell which family it is of; what it was trained to predict, they " +
      "mostly do not tell. Old files are Python pickles, which can run code when they are opened " +
      "by Python; here they are read without.",
    blocks: [
      {
        kind: "table",
        caption: `${subject ?? found.kind}`,
        columns: ["about", "what was found"],
        rows: [["kind", found.kind], ...found.facts],
      },
      {
        kind: "table",
        caption: "Tensors",
        columns: ["part", "tensors", "numbers", "types", "MiB", "largest value"],
        rows,
      },
      {
        kind: "plot",
        caption: "How large the weights are: one in so many, by powers of two",
        mark: "bar",
        x: { label: "power of two" },
        y: { label: "share of the weights" },
        series: [{ name: "share", points: shares(histogram) }],
      },
    ],
    claims: [
      {
        text: "All weights are numbers: no NaN, no infinity",
        holds: broken === 0,
        measured: broken === 0 ? "none" : `${broken}, first in ${firstBroken}`,
      },
      ...found.claims,
    ],
    formulas: [{
      text: "file = header {name: type, shape, place} + bytes",
      symbols: { "place": "range of bytes; only what is used is read" },
      file: "weights/safetensors.ts",
      symbol: "openSafetensors",
    }],
    papers: [],
  };
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new ModelFormatError(`Cannot open ${path}: there is no such file or folder.`, {
      path,
      cause,
    });
  }
}

/** A folder, a checkpoint, a LoRA, an embedding, or one network's weights. */
async function examine(path: string): Promise<Findings> {
  if (await isFolder(path)) return wholeModel(await openModel(path), "a folder");
  const source = await openWeights(path);
  const pickle = /\.(ckpt|pt|pth|bin)$/i.test(path)
    ? [
      [
        "pickle",
        "names only what weights need; nothing in it was run",
      ] as const,
    ]
    : [];
  const notes = Object.entries(source.metadata).slice(0, 12)
    .map(([key, value]) => [key, value.slice(0, 120)] as const);
  if (isCheckpoint(source)) return await checkpoint(path, source, [...pickle, ...notes]);
  for (const read of [lora, embedding]) {
    try {
      const found = await read(source);
      return { ...found, facts: [...found.facts, ...pickle, ...notes] };
    } catch (error) {
      if (!(error instanceof ModelFormatError)) throw error;
    }
  }
  const kind = "weights of one network, or of a kind that is not known here";
  return { kind, facts: [...pickle, ...notes], sources: { file: source }, claims: [] };
}

async function checkpoint(
  path: string,
  source: TensorSource,
  facts: Findings["facts"],
): Promise<Findings> {
  const found = await openCheckpoint(source), { scheduler } = checkpointConfigs(found);
  const told = found.prediction ? "said by the file" : "the family's; nothing in the file tells";
  const whole = await openModel(path).then((parts) => wholeModel(parts, "")).catch((error) => {
    if (!(error instanceof ModelFormatError)) throw error;
    return unfit(source, error);
  });
  const uses: Record<number, string> = { 4: "drawing", 9: "inpainting", 8: "editing", 5: "depth" };
  return {
    ...whole,
    kind: `single-file checkpoint, family ${found.family}`,
    facts: [
      ["made for", uses[found.inChannels] ?? `${found.inChannels} channels`],
      ["predicts", `${scheduler.prediction_type} (${told})`],
      ...facts,
    ],
  };
}

/** A checkpoint whose networks cannot be built as its family's are. */
function unfit(source: TensorSource, { message }: ModelFormatError): Findings {
  const text = "Its networks are those of its family";
  const claims = [{ text, holds: false, measured: message }];
  return { kind: "", facts: [], sources: { file: source }, claims };
}

async function lora(source: TensorSource): Promise<Findings> {
  const { layers, unused, metadata } = await readLoraFile(source);
  const networks = new Set(layers.map(({ network }) => network));
  return {
    kind: `LoRA of ${layers.length} layers in ${[...networks].join(", ")}`,
    facts: [
      ["base model", metadata.ss_base_model_version ?? metadata.ss_sd_model_name ?? "not said"],
      ["rank", metadata.ss_network_dim ?? "see the shapes"],
    ],
    sources: { LoRA: source },
    claims: [complete("unused", unused)],
  };
}

function embedding(source: TensorSource): Promise<Findings> {
  const file = readEmbeddingFile(source);
  return Promise.resolve({
    kind: "textual inversion",
    facts: [["word", file.token ?? "not said"]],
    sources: { vectors: source },
    claims: [],
  });
}

/** Builds every network from it: what is missing would fail, what is left over is told. */
function wholeModel(parts: ModelParts, name: string): Findings {
  const { unet: net, vae, textEncoders, index } = parts;
  const size = { batch: 1, height: 8, width: 8 };
  const text = textEncoders[0]!;
  const unexpected = [
    ...unet(net.config, net.weights, { ...size, sequence: 77 }).unexpected,
    ...decoderGraph(vae.config, vae.weights, size).unexpected,
    ...encoderGraph(vae.config, vae.weights, size).unexpected,
    ...clipTextModel(text.config, text.weights, { batch: 1, sequence: 8 }).unexpected,
  ];
  const encoders = Object.fromEntries(
    textEncoders.map(({ weights }, i) => [`text encoder ${i + 1}`, weights]),
  );
  return {
    kind: `${index.className}, ${name}`,
    facts: [
      ["family", index.family],
      ["U-Net takes", `${net.config.inChannels} channels, prompts ${text.config.hiddenSize} wide`],
      ["predicts", String(parts.schedulerConfig.prediction_type ?? "epsilon")],
      ["made for", `${(net.config.sampleSize ?? 64) * vae.config.factor} pixels a side`],
    ],
    sources: { "U-Net": net.weights, autoencoder: vae.weights, ...encoders },
    claims: [complete("left over", unexpected), {
      text: "Every tensor that the networks need is there, in its shape",
      holds: true,
      measured: "the graphs were built",
    }],
  };
}

function complete(what: string, names: readonly string[]): Claim {
  return {
    text: `Every tensor has its place (${what})`,
    holds: names.length === 0,
    measured: names.length === 0 ? "all" : `${names.length}: ${names.slice(0, 3).join(", ")}`,
  };
}

/** Reads every weight: types, sizes, what is no number. `histogram` counts by powers of two. */
async function scanned(source: TensorSource, histogram: Map<number, number>) {
  const dtypes = new Set<string>();
  let tensors = 0, numbers = 0, bytes = 0, broken = 0, firstBroken = "", largest = 0;
  for (const name of source.names()) {
    const tensor = source.get(name)!;
    tensors++;
    numbers += elementCount(tensor.shape);
    dtypes.add(tensor.dtype);
    bytes += "file" in tensor.location
      ? tensor.location.byteLength
      : tensor.location.data.byteLength;
    if (!/^B?F\d/.test(tensor.dtype)) continue;
    for (const value of await toFloat32(tensor)) {
      const size = Math.abs(value);
      if (!Number.isFinite(size)) {
        broken++;
        firstBroken ||= name;
        continue;
      }
      if (size > largest) largest = size;
      const power = size === 0 ? -24 : Math.max(-24, Math.floor(Math.log2(size)));
      histogram.set(power, (histogram.get(power) ?? 0) + 1);
    }
  }
  return { tensors, numbers, bytes, broken, firstBroken, largest, dtypes: [...dtypes].join(" ") };
}

function shares(histogram: ReadonlyMap<number, number>): (readonly [number, number])[] {
  const total = [...histogram.values()].reduce((a, b) => a + b, 0);
  return [...histogram].sort(([a], [b]) => a - b)
    .map(([power, count]) => [power, count / total] as const);
}

/** What a file of weights is. */
export const model: Topic = { run };
