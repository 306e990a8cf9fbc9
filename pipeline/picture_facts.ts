/**
 * What a picture's record says of the run beside its settings: versions, providers, weights.
 *
 * @module
 */

import { basename, dirname, join } from "node:path";
import manifest from "../deno.json" with { type: "json" };
import type { TensorSource } from "../weights/stored_tensor.ts";
import { chooseScheduler } from "./choose_scheduler.ts";
import type { Lora } from "./lora.ts";
import { fileSha256 } from "./metadata_hash.ts";
import type { PictureFacts, WeightFile } from "./metadata_record.ts";
import type { ModelParts } from "./model_parts.ts";
import { isPulled } from "./picture_pulls.ts";
import type { LoraMode } from "./prompt_loras.ts";
import { onnxFiles } from "./onnx_folder.ts";
import type { Convolution, Precision } from "./precision.ts";
import type { SessionBuilder } from "./session_builder.ts";
import type { Settings } from "./settings.ts";

/** Larger files are hashed only on request: that takes a second for a gigabyte. */
const HASHED_UNASKED = 256 << 20;

/** What a model was opened with. */
export interface OpenedWith {
  readonly variant?: string | undefined;
  readonly config?: string | undefined;
  readonly vae?: string | undefined;
  readonly refiner?: string | undefined;
  readonly loras?: readonly Lora[];
  readonly loraMode?: LoraMode;
  readonly clip?: string;
  readonly clipVae?: string;
  readonly precision?: Precision;
  readonly convolution?: Convolution;
  readonly embeddings?: readonly string[];
  readonly controlNets?: readonly string[];
  readonly hashWeights?: boolean;
  readonly onHashing?: (done: number, total: number) => void;
}

/** Gathers the facts of pictures made with one model. */
export class FactsGatherer {
  #weights: Promise<WeightFile[]> | undefined;
  #adapters: Promise<(WeightFile & { weight?: number })[]> | undefined;

  constructor(
    readonly parts: ModelParts,
    readonly builder: SessionBuilder,
    readonly opened: OpenedWith,
  ) {}

  /** The facts of a picture with these settings. */
  async gather(chosen: Settings): Promise<PictureFacts> {
    const { name, settings } = chooseScheduler(this.parts.schedulerConfig, chosen);
    const { variant, config, vae, refiner, clip, clipVae } = this.opened;
    const { loraMode = "merged", precision = "float32", convolution = "direct" } = this.opened;
    const pulled = isPulled(chosen);
    return {
      model: {
        path: this.parts.path,
        ...(variant !== undefined && { variant }),
        ...(config !== undefined && { config }),
        ...(vae !== undefined && { vae }),
        ...(pulled && clip !== undefined && { clip }),
        ...(pulled && clipVae !== undefined && { clipVae }),
        ...(loraMode !== "merged" && { loraMode }),
        ...(refiner !== undefined && { refiner }),
        ...(precision !== "float32" && { precision }),
        ...(convolution !== "direct" && { convolution }),
        weights: await (this.#weights ??= this.#hashWeights()),
      },
      versions: {
        latent: manifest.version,
        onnxruntime: this.builder.runtime.version,
        deno: Deno.version.deno,
      },
      providers: this.builder.options.providers.map(({ name }) => name),
      scheduler: { name, settings },
      adapters: await (this.#adapters ??= this.#hashAdapters()),
    };
  }

  async #hashWeights(): Promise<WeightFile[]> {
    const { textEncoders, unet, vae } = this.parts;
    const sources = [...textEncoders, unet, vae].map(({ weights }) => weights);
    const onnx = await Promise.all([...textEncoders, unet, vae].map(onnxFiles));
    const files = [...new Set([...sources.flatMap((one) => [...filesOf(one)]), ...onnx.flat()])];
    const sizes = await Promise.all(files.map((file) => this.#sizeToHash(file)));
    const total = sizes.reduce((sum, size) => sum + size, 0);
    let done = 0;
    const onBytes = (count: number) => this.opened.onHashing?.(done += count, total);
    // Small files are not worth the telling.
    const told = total > HASHED_UNASKED ? onBytes : undefined;
    const hashed = await Promise.all(files.map((file) => this.#hash(file, told)));
    return hashed.filter((file) => file !== undefined);
  }

  /** How many bytes of a file are to be hashed: none where its hash is known or not wanted. */
  async #sizeToHash(file: string): Promise<number> {
    if (isHash(basename(file))) return 0;
    const { size } = await Deno.stat(file);
    return size > HASHED_UNASKED && !this.opened.hashWeights ? 0 : size;
  }

  async #hashAdapters(): Promise<(WeightFile & { weight?: number })[]> {
    const { loras = [], embeddings = [], controlNets = [] } = this.opened;
    const named = [...loras, ...[...embeddings, ...controlNets].map((path): Lora => ({ path }))];
    return await Promise.all(named.map(async ({ path, weight }) => {
      const file = (await Deno.stat(path)).isDirectory ? undefined : await this.#hash(path);
      return { file: path, sha256: file?.sha256 ?? "", ...(weight !== undefined && { weight }) };
    }));
  }

  async #hash(
    file: string,
    onBytes?: (count: number) => void,
  ): Promise<WeightFile | undefined> {
    const name = basename(file);
    if (isHash(name)) return { file: shortName(file), sha256: name };
    const unwanted = await this.#sizeToHash(file) === 0;
    return unwanted
      ? undefined
      : { file: shortName(file), sha256: await fileSha256(file, onBytes) };
  }
}

/** Whether a file's name is its hash: so are the blobs of the Hugging Face cache named. */
function isHash(name: string): boolean {
  return /^[0-9a-f]{64}$/.test(name);
}

/** A file's name with its folder's: where people keep their models is nobody's business. */
function shortName(file: string): string {
  return join(basename(dirname(file)), basename(file));
}

/** The files that a network's tensors lie in. */
function filesOf(source: TensorSource): Set<string> {
  const files = new Set<string>();
  for (const name of source.names()) {
    const location = source.get(name)?.location;
    if (location && "file" in location) files.add(location.file);
  }
  return files;
}
