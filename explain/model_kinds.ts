/**
 * What stands beside a model, examined: LoRAs, words, ControlNets, autoencoders, ONNX files.
 *
 * @module
 */

import { dirname } from "node:path";
import { readOnnx } from "../graph/onnx_read.ts";
import { decoderGraph, encoderGraph } from "../models/autoencoder_graphs.ts";
import { controlNet } from "../models/controlnet.ts";
import { seemsToBe } from "../models/known_families.ts";
import { openControlNet } from "../pipeline/control_nets.ts";
import { openVae } from "../pipeline/open_vae.ts";
import { readEmbeddingFile } from "../weights/embedding_file.ts";
import { type LoraUpdate, readLoraFile } from "../weights/lora_file.ts";
import { ModelFormatError } from "../weights/model_format_error.ts";
import type { TensorSource } from "../weights/stored_tensor.ts";
import type { Claim } from "./report.ts";

/** What was found out about one file or folder. */
export interface Findings {
  readonly kind: string;
  readonly facts: readonly (readonly [string, string])[];
  /** By part. */
  readonly sources: Readonly<Record<string, TensorSource>>;
  readonly claims: readonly Claim[];
}

/** Every tensor is used, or which are not. */
export function complete(what: string, names: readonly string[]): Claim {
  return {
    text: `Every tensor has its place (${what})`,
    holds: names.length === 0,
    measured: names.length === 0 ? "all" : `${names.length}: ${names.slice(0, 3).join(", ")}`,
  };
}

/** What the file is beside a checkpoint; readers that refuse it are passed over. */
export async function besideModel(path: string, source: TensorSource): Promise<Findings> {
  for (const read of [lora, embedding, control, autoencoder]) {
    try {
      return await read(source, path);
    } catch (error) {
      if (!(error instanceof ModelFormatError)) throw error;
    }
  }
  const kind = seemsToBe(source.names()) ?? "weights of a kind that is not known here";
  return { kind, facts: [], sources: { file: source }, claims: [] };
}

async function lora(source: TensorSource): Promise<Findings> {
  const { layers, unused, metadata } = await readLoraFile(source);
  const networks = new Set(layers.map(({ network }) => network));
  const kinds = new Set(layers.map(({ update, magnitude }) => magnitude ? "DoRA" : update.kind));
  const ranks = [...new Set(layers.map(({ update }) => rankOf(update)))]
    .filter((rank) => rank !== undefined).sort((a, b) => a - b);
  const scales = layers.map(({ scale }) => scale);
  const range = [Math.min(...scales), Math.max(...scales)].map((n) => n.toPrecision(3));
  return {
    kind: `LoRA of ${layers.length} layers in ${[...networks].join(", ")}`,
    facts: [
      ["form", [...kinds].join(", ")],
      ["base model", metadata.ss_base_model_version ?? metadata.ss_sd_model_name ?? "not said"],
      ["rank", ranks.join(", ") || metadata.ss_network_dim || "none: differences as they are"],
      ["alpha / rank", range[0] === range[1] ? range[0]! : range.join(" to ")],
      ...training(metadata),
    ],
    sources: { LoRA: source },
    claims: [complete("unused", unused)],
  };
}

function rankOf(update: LoraUpdate): number | undefined {
  if (update.kind === "lora") return update.down.shape[0];
  return update.kind === "loha" ? update.first[1].shape[0] : undefined;
}

/** What kohya's scripts note of a training, in words. */
const TRAINING: Readonly<Record<string, string>> = {
  ss_output_name: "trained as",
  ss_training_comment: "comment",
  ss_num_train_images: "pictures",
  ss_num_epochs: "epochs",
  ss_steps: "steps",
  ss_resolution: "resolution",
  ss_learning_rate: "learning rate",
  ss_unet_lr: "U-Net's learning rate",
  ss_optimizer: "optimizer",
  ss_clip_skip: "clip skip",
  ss_v2: "SD 2",
  "modelspec.title": "title",
  "modelspec.author": "author",
  "modelspec.license": "licence",
  "modelspec.trigger_phrase": "trigger",
};

function training(metadata: Readonly<Record<string, string>>): [string, string][] {
  const facts = Object.entries(TRAINING).flatMap(([key, name]): [string, string][] =>
    metadata[key] && metadata[key] !== "None" ? [[name, metadata[key].slice(0, 120)]] : []
  );
  const tags = frequentTags(metadata.ss_tag_frequency);
  return tags === "" ? facts : [...facts, ["words of its captions", tags]];
}

/** The ten most frequent words of the captions that it was trained with. */
function frequentTags(json = "{}"): string {
  const counts = new Map<string, number>();
  try {
    for (
      const folder of Object.values(JSON.parse(json) as Record<string, Record<string, number>>)
    ) {
      for (const [tag, count] of Object.entries(folder)) {
        counts.set(tag.trim(), (counts.get(tag.trim()) ?? 0) + Number(count));
      }
    }
  } catch {
    return ""; // a note that is no JSON is no fact
  }
  return [...counts].sort(([, a], [, b]) => b - a).slice(0, 10)
    .map(([tag, count]) => `${tag} (${count})`).join(", ");
}

function embedding(source: TensorSource): Promise<Findings> {
  const file = readEmbeddingFile(source);
  const widths: Record<number, string> = {
    768: "SD 1",
    1024: "SD 2",
    1280: "SDXL's second encoder",
  };
  return Promise.resolve({
    kind: "textual inversion",
    facts: [
      ["word", file.token ?? "not said"],
      ...file.vectors.map(({ count, width, encoder }): [string, string] => [
        encoder ?? "vectors",
        `${count} of ${width} numbers${width in widths ? `: ${widths[width]}` : ""}`,
      ]),
    ],
    sources: { vectors: source },
    claims: [],
  });
}

async function control(source: TensorSource, path: string): Promise<Findings> {
  // A file out of a diffusers folder is opened as that folder is, by the configuration beside it.
  const isPart = source.get("controlnet_mid_block.weight") !== undefined && source.path === path;
  const { config, weights } = await openControlNet(isPart ? dirname(path) : path);
  const size = { batch: 1, height: 8, width: 8, sequence: 77 };
  const { unexpected } = controlNet(config, weights, size, {});
  return {
    kind: "ControlNet",
    facts: [
      ["prompts", `${config.downBlocks.at(-1)!.crossAttentionDim} wide`],
      ["control picture", `${config.conditioningChannels} channels`],
      ["for a U-Net of", config.downBlocks.map(({ channels }) => channels).join(", ")],
    ],
    sources: { ControlNet: source },
    claims: [complete("left over", unexpected)],
  };
}

async function autoencoder(source: TensorSource, path: string): Promise<Findings> {
  const { config, weights } = await openVae(path, { family: "sd" });
  const size = { batch: 1, height: 8, width: 8 }, unexpected: string[] = [];
  const halves: string[] = [];
  for (const [half, graph] of Object.entries({ encoder: encoderGraph, decoder: decoderGraph })) {
    if (![...weights.names()].some((name) => name.startsWith(`${half}.`))) continue;
    halves.push(half);
    unexpected.push(...graph(config, weights, size).unexpected);
  }
  return {
    kind: config.kind === "tiny" ? "TAESD, a small autoencoder" : "autoencoder",
    facts: [
      ["halves", halves.join(" and ")],
      ["latents", `${config.latentChannels} channels, 1 / ${config.factor} of each side`],
      ["scale", `${config.scalingFactor}, where no configuration says more`],
    ],
    sources: { autoencoder: source },
    claims: [complete("left over", unexpected)],
  };
}

/** An ONNX file: what it takes, gives and computes. No weights are read. */
export async function onnxFile(path: string): Promise<Findings> {
  const graph = readOnnx(await Deno.readFile(path));
  const list = (values: typeof graph.inputs) =>
    values.map(({ name, dtype, shape }) => `${name} ${dtype ?? "?"} [${shape?.join(", ") ?? "?"}]`)
      .join("; ");
  const counts = new Map<string, number>();
  for (const { type } of graph.nodes) counts.set(type, (counts.get(type) ?? 0) + 1);
  const frequent = [...counts].sort(([, a], [, b]) => b - a).slice(0, 8);
  const beside = new Set(
    graph.initializers.flatMap(({ source }) => "location" in source ? [source.location] : []),
  );
  const [first] = graph.inputs, picture = graph.inputs.length === 1 && first?.shape?.length === 4;
  return {
    kind: picture
      ? "ONNX network of pictures: an upscaler, or one half of an autoencoder"
      : "ONNX network",
    facts: [
      ["takes", list(graph.inputs)],
      ["gives", list(graph.outputs)],
      ["written by", graph.producer || "not said"],
      ["operators", Object.entries(graph.opsets).map(([d, v]) => `${d || "ONNX"} ${v}`).join(", ")],
      ["computes", frequent.map(([type, count]) => `${count} ${type}`).join(", ")],
      ["weights", `${graph.initializers.length}, in ${[...beside].join(", ") || "the file"}`],
    ],
    sources: {},
    claims: [],
  };
}
