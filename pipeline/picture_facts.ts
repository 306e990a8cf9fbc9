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
import type { LoraMode } from "./prompt_loras.ts";
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
  readonly embeddings?: readonly string[];
  readonly controlNets?: readonly string[];
  readonly hashWeights?: boolean;
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
    const { variant, config, vae, refiner, loraMode = "merged" } = this.opened;
    return {
      model: {
        path: this.parts.path,
        ...(variant !== undefined && { variant }),
        ...(config !== undefined && { config }),
        ...(vae !== undefined && { vae }),
        ...(loraMode !== "merged" && { loraMode }),
        ...(refiner !== undefined && { refiner }),
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
    const files = [...new Set(sources.flatMap((source) => [...filesOf(source)]))];
    const hashed = await Promise.all(files.map((file) => this.#hash(file)));
    return hashed.filter((file) => file !== undefined);
  }

  async #hashAdapters(): Promise<(WeightFile & { weight?: number })[]> {
    const { loras = [], embeddings = [], controlNets = [] } = this.opened;
    const named = [...loras, ...[...embeddings, ...controlNets].map((path): Lora => ({ path }))];
    return await Promise.all(named.map(async ({ path, weight }) => {
      const file = (await Deno.stat(path)).isDirectory ? undefined : await this.#hash(path);
      return { file: path, sha256: file?.sha256 ?? "", ...(weight !== undefined && { weight }) };
    }));
  }

  async #hash(file: string): Promise<WeightFile | undefined> {
    // Blobs of the Hugging Face cache are named by their hash.
    const name = basename(file);
    if (/^[0-9a-f]{64}$/.test(name)) return { file: shortName(file), sha256: name };
    const { size } = await Deno.stat(file);
    if (size > HASHED_UNASKED && !this.opened.hashWeights) return undefined;
    return { file: shortName(file), sha256: await fileSha256(file) };
  }
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
