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

async function mergeOne(parts: ModelParts, path: string, weight: number): Promise<ModelParts> {
  const { layers, unused } = await readLoraFile(await openWeights(path));
  const unmatched: string[] = [...unused];
  const adapt = async <N extends Network<unknown>>(network: LoraNetwork, part: N): Promise<N> => {
    const found = matchLora(layers, network, moduleNames(part.weights));
    unmatched.push(...found.unmatched.map(({ key }) => key));
    if (weight === 0 || found.matched.size === 0) return part;
    return { ...part, weights: await overlay(part.weights, found.matched, weight) };
  };
  const textEncoders = [];
  for (const [i, encoder] of parts.textEncoders.entries()) {
    textEncoders.push(await adapt(i === 0 ? "text_encoder" : "text_encoder_2", encoder));
  }
  if (parts.textEncoders.length === 1) {
    unmatched.push(...layers.filter((l) => l.network === "text_encoder_2").map(({ key }) => key));
  }
  const unet = await adapt("unet", parts.unet);
  if (unmatched.length > 0) throw misfit(path, unmatched, layers.length + unused.length);
  return { ...parts, textEncoders, unet };
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
