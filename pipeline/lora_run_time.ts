/**
 * LoRAs as inputs of the networks: another LoRA, or another weight, costs no new session. Each step
 * costs two small products a layer more than with LoRAs merged.
 *
 * @module
 */

import type { Runtime } from "../ffi/runtime.ts";
import { Tensor } from "../ffi/tensor.ts";
import { isLoraInput, loraDown, LoraInputs, loraUp } from "../models/lora_inputs.ts";
import type { GraphModel, ModelOptions } from "../models/graph_model.ts";
import { isLowRank, type LowRank, lowRank } from "../weights/lora_low_rank.ts";
import { comparableName } from "../weights/lora_names.ts";
import type { TensorSource } from "../weights/stored_tensor.ts";
import type { ExtraInput } from "./extra_input.ts";
import { type Lora, type LoraLayers, placeLora } from "./lora.ts";
import type { ModelParts } from "./model_parts.ts";
import type { NetworkSession } from "./network_session.ts";

/** Files whose matrices stay in memory. */
const REMEMBERED = 8;

/** The LoRAs of one network in one run. */
export interface NetworkLoras {
  /** Layers that have inputs; the session is built for them. */
  readonly layers: ReadonlySet<string>;
  /** The same for equal layers. */
  readonly key: string;
  /** What the inputs are fed. */
  readonly inputs: readonly ExtraInput[];
}

/** The LoRAs of one run. */
export interface RunTimeLoras {
  /** The same for equal LoRAs with equal weights. */
  readonly key: string;
  readonly unet: NetworkLoras | undefined;
  /** One for each text encoder. */
  readonly textEncoders: readonly (NetworkLoras | undefined)[];
}

/** Matrices by layer. */
type Matrices = ReadonlyMap<string, LowRank>;

/** A file's matrices, of the U-Net first, then of the text encoders. */
type FileMatrices = readonly Matrices[];

/** Reads LoRAs as matrices, and knows for which layers the sessions have inputs. */
export class LoraMatrices {
  /** Undefined: some layer of the file is no two matrices. */
  readonly #files = new Map<string, Promise<FileMatrices | undefined>>();
  /** Layers that ever had a LoRA, of each network. They only grow: few sessions are built. */
  readonly #layers: Map<string, readonly [rows: number, columns: number]>[];

  constructor(readonly parts: ModelParts) {
    this.#layers = [parts.unet, ...parts.textEncoders].map(() => new Map());
  }

  /**
   * Whether the file at `path` can act as inputs: LoHa, LoKr and DoRA have to be merged.
   *
   * @throws {ModelFormatError} for a file that does not fit the model.
   */
  async canBeInputs(path: string): Promise<boolean> {
    return await this.#read(path) !== undefined;
  }

  /** What the networks are fed for `loras`, all of which can be inputs; nothing for none. */
  async feed(loras: readonly Lora[]): Promise<RunTimeLoras | undefined> {
    const acting = loras.filter(({ weight = 1 }) => weight !== 0);
    if (acting.length === 0) return undefined;
    const files = await Promise.all(acting.map(async ({ path, weight = 1 }) => ({
      matrices: (await this.#read(path))!,
      weight,
    })));
    const networks = this.#layers.map((_, i) => {
      const own = files.map(({ matrices, weight }) => ({ matrices: matrices[i]!, weight }));
      return own.some(({ matrices }) => matrices.size > 0) ? this.#network(i, own) : undefined;
    });
    const [unet, ...textEncoders] = networks;
    return { key: JSON.stringify(acting), unet, textEncoders };
  }

  #network(
    index: number,
    files: readonly { readonly matrices: Matrices; readonly weight: number }[],
  ): NetworkLoras {
    const known = this.#layers[index]!;
    for (const { matrices } of files) {
      for (const [layer, { rank, down, up }] of matrices) {
        known.set(layer, [down.length / rank, up.length / rank]);
      }
    }
    const inputs = [...known].flatMap(([layer, [columns, rows]]) => {
      const own = files.flatMap(({ matrices, weight }) => {
        const found = matrices.get(layer);
        return found ? [{ ...found, weight }] : [];
      });
      const rank = own.reduce((sum, one) => sum + one.rank, 0) || 1;
      const down = new Float32Array(rank * columns), up = new Float32Array(rank * rows);
      let at = 0;
      for (const one of own) {
        down.set(one.down, at * columns);
        up.set(one.up.map((value) => value * one.weight), at * rows);
        at += one.rank;
      }
      return [
        { name: loraDown(layer), shape: [rank, columns], data: down, shared: true },
        { name: loraUp(layer), shape: [rank, rows], data: up, shared: true },
      ];
    });
    const layers = new Set(known.keys());
    return { layers, key: `loras ${layers.size}`, inputs };
  }

  #read(path: string): Promise<FileMatrices | undefined> {
    let file = this.#files.get(path);
    this.#files.delete(path);
    if (!file) {
      file = this.#load(path);
      file.catch(() => this.#files.delete(path)); // the file may be mended
    }
    this.#files.set(path, file);
    if (this.#files.size > REMEMBERED) this.#files.delete(this.#files.keys().next().value!);
    return file;
  }

  async #load(path: string): Promise<FileMatrices | undefined> {
    const { unet, textEncoders } = await placeLora(this.parts, path);
    const networks = [unet, ...textEncoders], all = networks.flatMap((of) => [...of.values()]);
    if (!all.every(isLowRank)) return undefined;
    const weights = [this.parts.unet, ...this.parts.textEncoders].map(({ weights }) => weights);
    return await Promise.all(networks.map((layers, i) => matricesOf(layers, weights[i]!)));
  }
}

async function matricesOf(layers: LoraLayers, weights: TensorSource): Promise<Matrices> {
  const matrices = new Map<string, LowRank>();
  for (const [module, layer] of layers) {
    const { shape } = weights.get(`${module}.weight`)!;
    matrices.set(comparableName(module), await lowRank(layer, shape));
  }
  return matrices;
}

/** The network that `build` makes, with inputs for `loras`. */
export function withLoraInputs(
  loras: NetworkLoras | undefined,
  build: (options: Pick<ModelOptions, "adapt">) => GraphModel,
): GraphModel {
  if (!loras) return build({});
  const added = new LoraInputs(loras.layers), model = build({ adapt: added.adapt });
  return { ...model, inputs: [...model.inputs, ...added.inputs] };
}

/**
 * What of a network's LoRAs a session takes: a graph of fewer layers (clip skip, skipped layers)
 * has fewer inputs.
 */
export function lorasTaken(inputs: readonly ExtraInput[], session: NetworkSession): ExtraInput[] {
  const names = new Set(session.inputs.map(({ name }) => name));
  return inputs.filter(({ name }) => names.has(name) || !isLoraInput(name));
}

/** The tensors of a network's LoRAs for one run of `session`. */
export function loraTensors(
  runtime: Runtime,
  loras: NetworkLoras | undefined,
  session: NetworkSession,
): { readonly tensors: Record<string, Tensor> } & Disposable {
  const tensors = Object.fromEntries(
    lorasTaken(loras?.inputs ?? [], session).map(({ name, shape, data }) => [
      name,
      Tensor.from(runtime, "float32", data, shape),
    ]),
  );
  return {
    tensors,
    [Symbol.dispose]: () => Object.values(tensors).forEach((tensor) => tensor.dispose()),
  };
}
