/**
 * LoRA files merged into the weights that they change. Those become copies in memory; all others
 * stay where they are, and a step costs what it costs without.
 *
 * @module
 */

import { mergeLora } from "../weights/lora_delta.ts";
import { type LoraLayer, readLoraFile } from "../weights/lora_file.ts";
import { matchLora } from "../weights/lora_match.ts";
import type { LoraNetwork } from "../weights/lora_names.ts";
import { ModelFormatError } from "../weights/model_format_error.ts";
import { openWeights } from "../weights/open_weights.ts";
import { toFloat32 } from "../weights/read.ts";
import { type StoredTensor, tensorInMemory, type TensorSource } from "../weights/stored_tensor.ts";
import { requireWeights } from "./onnx_folder.ts";
import type { ModelParts, Network } from "./model_parts.ts";

/** A LoRA file and how strongly it acts. */
export interface Lora {
  /** A `.safetensors` or torch file with kohya's, PEFT's or LyCORIS' names. */
  readonly path: string;
  /** 1 is as trained; 0 changes nothing; may be negative. Default 1. */
  readonly weight?: number;
}

/**
 * The parts with `loras` merged in their order.
 *
 * @throws {ModelFormatError} for a file of which not one layer fits this model, and for layers that
 *   do not: a picture without the style would be worse.
 */
export async function mergeLoras(parts: ModelParts, loras: readonly Lora[]): Promise<ModelParts> {
  let merged = parts;
  for (const { path, weight = 1 } of loras) merged = await mergeOne(merged, path, weight);
  return merged;
}

/** The parts with one LoRA merged. @throws {ModelFormatError} as {@linkcode mergeLoras} does. */
export async function mergeOne(
  parts: ModelParts,
  file: string | TensorSource,
  weight: number,
): Promise<ModelParts> {
  const { unet, textEncoders } = await placeLora(parts, file);
  const adapt = async <N extends Network<unknown>>(part: N, layers: LoraLayers): Promise<N> =>
    weight === 0 || layers.size === 0
      ? part
      : { ...part, weights: await overlay(part.weights, layers, weight) };
  const encoders = [];
  for (const [i, encoder] of parts.textEncoders.entries()) {
    encoders.push(await adapt(encoder, textEncoders[i]!));
  }
  return { ...parts, textEncoders: encoders, unet: await adapt(parts.unet, unet) };
}

/** Layers of a LoRA by the names of the modules that they change. */
export type LoraLayers = ReadonlyMap<string, LoraLayer>;

/** Where the layers of a file belong in a model. */
export interface PlacedLora {
  readonly unet: LoraLayers;
  /** One for each text encoder. */
  readonly textEncoders: readonly LoraLayers[];
}

/**
 * Reads a file and finds the place of each of its layers.
 *
 * @throws {ModelFormatError} where one has none: see {@linkcode mergeLoras}.
 */
export async function placeLora(
  parts: ModelParts,
  file: string | TensorSource,
): Promise<PlacedLora> {
  requireWeights(parts, "merge LoRAs into");
  const source = typeof file === "string" ? await openWeights(file) : file, { path } = source;
  const { layers, unused } = await readLoraFile(source);
  const unmatched: string[] = [...unused];
  const place = (network: LoraNetwork, { weights }: Network<unknown>): LoraLayers => {
    const found = matchLora(layers, network, moduleNames(weights));
    unmatched.push(...found.unmatched.map(({ key }) => key));
    return found.matched;
  };
  const textEncoders = parts.textEncoders.map((encoder) => place(encoder.name, encoder));
  for (const name of ["text_encoder", "text_encoder_2"] as const) {
    if (parts.textEncoders.some((encoder) => encoder.name === name)) continue;
    unmatched.push(...layers.filter(({ network }) => network === name).map(({ key }) => key));
  }
  const unet = place("unet", parts.unet);
  if (unmatched.length > 0) throw misfit(path, unmatched, layers.length + unused.length);
  return { unet, textEncoders };
}

/** Names of the modules whose weights a network has, as its own file spells them. */
function* moduleNames(weights: TensorSource): Generator<string> {
  for (const name of weights.names()) {
    if (name.endsWith(".weight")) yield name.slice(0, -".weight".length);
  }
}

/** The same weights but for the changed ones, which are float32 in memory. */
async function overlay(
  weights: TensorSource,
  layers: ReadonlyMap<string, LoraLayer>,
  strength: number,
): Promise<TensorSource> {
  const changed = new Map<string, StoredTensor>();
  for (const [module, layer] of layers) {
    const name = `${module}.weight`;
    const tensor = weights.get(name)!;
    // A copy of our own: a tensor in memory may belong to an earlier LoRA's result.
    const values = (await toFloat32(tensor)).slice();
    await mergeLora(values, tensor.shape, layer, strength);
    changed.set(name, tensorInMemory(name, "F32", tensor.shape, values));
  }
  return { ...weights, names: () => weights.names(), get: (n) => changed.get(n) ?? weights.get(n) };
}

function misfit(path: string, unmatched: readonly string[], all: number): ModelFormatError {
  const some = unmatched.slice(0, 3).join(", ");
  return new ModelFormatError(
    `Cannot use ${path} with this model: ${unmatched.length} of ${all} layers fit nothing in it ` +
      `(${some}${unmatched.length > 3 ? ", ..." : ""}). Is it for another family?`,
    { path, key: unmatched[0] },
  );
}
