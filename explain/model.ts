/**
 * `latent explain model FILE`: what a file of weights is.
 *
 * @module
 */

import { join } from "node:path";
import { storedBytes } from "../graph/value.ts";
import { checkpointConfigs } from "../models/checkpoint_configs.ts";
import { isCheckpoint, openCheckpoint } from "../models/checkpoint.ts";
import { clipTextModel } from "../models/clip_text.ts";
import { unet } from "../models/unet.ts";
import { decoderGraph, encoderGraph } from "../models/autoencoder_graphs.ts";
import { exists } from "../pipeline/existing.ts";
import { requireWeights } from "../pipeline/onnx_folder.ts";
import type { ModelParts } from "../pipeline/model_parts.ts";
import { openModel } from "../pipeline/open_model.ts";
import { ModelFormatError } from "../weights/model_format_error.ts";
import { PickleError } from "../weights/pickle_reader.ts";
import { openComponent, openWeights } from "../weights/open_weights.ts";
import { toFloat32 } from "../weights/read.ts";
import { elementCount, type TensorSource } from "../weights/stored_tensor.ts";
import { besideModel, complete, type Findings, onnxFile } from "./model_kinds.ts";
import type { Report } from "./report.ts";
import type { Laboratory, Topic } from "./topic.ts";

/** What is claimed of a pickle, whether or not it is so. */
const HARMLESS = "The pickle names nothing that could run code";

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

/** A folder, a checkpoint, what stands beside one, or one network's weights. */
async function examine(path: string): Promise<Findings> {
  if (await isFolder(path)) return await folder(path);
  if (path.endsWith(".onnx")) return await onnxFile(path);
  const isPickle = /\.(ckpt|pt|pth|bin)$/i.test(path);
  let source: TensorSource;
  try {
    source = await openWeights(path);
  } catch (error) {
    if (!(error instanceof ModelFormatError && error.cause instanceof PickleError)) throw error;
    return refused(error);
  }
  const notes = Object.entries(source.metadata)
    .filter(([key]) => !/^(ss_tag_frequency|ss_dataset_dirs|ss_bucket_info)$/.test(key))
    .slice(0, 12).map(([key, value]) => [key, value.slice(0, 120)] as const);
  const found = isCheckpoint(source)
    ? await checkpoint(path, source)
    : await besideModel(path, source);
  return {
    ...found,
    facts: [...found.facts, ...notes],
    claims: isPickle
      ? [...found.claims, {
        text: HARMLESS,
        holds: true,
        measured: "it names what weights need; nothing in it was run",
      }]
      : found.claims,
  };
}

/** A whole model, or the folder of one network. */
async function folder(path: string): Promise<Findings> {
  if (await exists(join(path, "model_index.json"))) {
    return wholeModel(await openModel(path), "a folder");
  }
  return await besideModel(path, await openComponent(path));
}

/** A pickle that is not opened, and why. */
function refused({ message }: ModelFormatError): Findings {
  return {
    kind: "a pickle that is not opened",
    facts: [],
    sources: {},
    claims: [{ text: HARMLESS, holds: false, measured: message }],
  };
}

async function checkpoint(path: string, source: TensorSource): Promise<Findings> {
  const found = await openCheckpoint(source), { scheduler } = checkpointConfigs(found);
  const told = found.prediction ? "said by the file" : "the family's; nothing in the file tells";
  const whole = await openModel(path).then((parts) => wholeModel(parts, "")).catch((error) => {
    if (!(error instanceof ModelFormatError)) throw error;
    return unfit(source, error);
  });
  const uses: Record<number, string> = { 4: "drawing", 9: "inpainting", 8: "editing", 5: "depth" };
  return {
    ...whole,
    kind: `single-file checkpoint, family ${found.family}${found.isRefiner ? " (refiner)" : ""}`,
    facts: [
      ["made for", uses[found.inChannels] ?? `${found.inChannels} channels`],
      ["predicts", `${scheduler.prediction_type} (${told})`],
    ],
  };
}

/** A checkpoint whose networks cannot be built as its family's are. */
function unfit(source: TensorSource, { message }: ModelFormatError): Findings {
  const text = "Its networks are those of its family";
  const claims = [{ text, holds: false, measured: message }];
  return { kind: "", facts: [], sources: { file: source }, claims };
}

/** Builds every network from it: what is missing would fail, what is left over is told. */
function wholeModel(parts: ModelParts, name: string): Findings {
  requireWeights(parts, "examine the weights of");
  const { unet: net, vae, textEncoders, index } = parts;
  const size = { batch: 1, height: 8, width: 8 };
  const text = textEncoders[0]!, timeIds = index.isRefiner ? 5 : 6;
  const unexpected = [
    ...unet(net.config, net.weights, { ...size, sequence: 77, timeIds }).unexpected,
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

/** Reads every weight: types, sizes, what is no number. `histogram` counts by powers of two. */
async function scanned(source: TensorSource, histogram: Map<number, number>) {
  const dtypes = new Set<string>();
  let tensors = 0, numbers = 0, bytes = 0, broken = 0, firstBroken = "", largest = 0;
  for (const name of source.names()) {
    const tensor = source.get(name)!;
    tensors++;
    numbers += elementCount(tensor.shape);
    dtypes.add(tensor.dtype);
    bytes += storedBytes(tensor.location);
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
