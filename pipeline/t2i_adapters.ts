/**
 * T2I-Adapters: pictures whose features are added to the U-Net's blocks, computed once a picture.
 *
 * @module
 */

import { join } from "node:path";
import { Tensor } from "../ffi/tensor.ts";
import { t2iAdapter, type T2iAdapterConfig, t2iAdapterConfig } from "../models/t2i_adapter.ts";
import { t2iAdapterOfFile } from "../models/t2i_adapter_file.ts";
import { ModelFormatError } from "../weights/model_format_error.ts";
import { openComponent, openWeights } from "../weights/open_weights.ts";
import { isFile } from "./existing.ts";
import type { ExtraInput } from "./extra_input.ts";
import type { Image } from "./image.ts";
import type { Network } from "./model_parts.ts";
import { OptionError } from "./options.ts";
import { readJsonObject } from "./pipeline_index.ts";
import type { SessionBuilder } from "./session_builder.ts";
import { SessionCache } from "./session_cache.ts";

/** What one T2I-Adapter is shown. */
export interface AdapterPicture {
  /** Edges, a sketch, depth: what the adapter was trained on. */
  readonly image: Image;
  /** How strongly it acts. Default 1. */
  readonly scale?: number;
  /** Part of the run at which it ceases to act, 0..1. Default 1. */
  readonly end?: number;
}

/** Opens a T2I-Adapter: a diffusers folder, or a single file. @throws {ModelFormatError} */
export async function openT2iAdapter(folder: string): Promise<Network<T2iAdapterConfig>> {
  // Where there is nothing at all, the folder's error says more.
  if (await isFile(folder)) return t2iAdapterOfFile(await openWeights(folder));
  const path = join(folder, "config.json");
  const config = t2iAdapterConfig(await readJsonObject(path), path);
  return { config, weights: await openComponent(folder) };
}

/** The T2I-Adapters of a model at work. */
export class T2iAdapters implements Disposable {
  readonly #sessions = new SessionCache(4);

  constructor(
    readonly adapters: readonly Network<T2iAdapterConfig>[],
    readonly builder: SessionBuilder,
  ) {}

  /**
   * The inputs that the U-Net gets for one picture an adapter, each of the run's size in pixels;
   * where several act until the same end, their sum.
   *
   * @throws {OptionError} for a size that an adapter cannot halve often enough.
   */
  async inputs(
    pictures: readonly AdapterPicture[],
    size: { readonly width: number; readonly height: number },
    signal?: AbortSignal,
  ): Promise<ExtraInput[]> {
    const ends = new Set(pictures.map(({ end = 1 }) => end));
    if (ends.size > 1) {
      throw new OptionError("adapters", "Cannot generate: all T2I-Adapters must end together.");
    }
    const sums = new Map<string, ExtraInput>();
    for (const [i, picture] of pictures.entries()) {
      for (const input of await this.#features(i, picture, size, signal)) {
        const sum = sums.get(input.name);
        if (!sum) sums.set(input.name, input);
        else if (sum.data.length !== input.data.length) {
          throw new ModelFormatError(
            "Cannot use these T2I-Adapters together: their features differ in size.",
            { path: this.adapters[i]!.config.path },
          );
        } else input.data.forEach((value, k) => sum.data[k]! += value);
      }
    }
    return [...sums.values()];
  }

  /** Releases the sessions. */
  [Symbol.dispose](): void {
    this.#sessions[Symbol.dispose]();
  }

  async #features(
    index: number,
    { image, scale = 1, end = 1 }: AdapterPicture,
    { width, height }: { readonly width: number; readonly height: number },
    signal: AbortSignal | undefined,
  ): Promise<ExtraInput[]> {
    const { config, weights } = this.adapters[index]!;
    const deepest = config.factor * halvings(config);
    if (width % deepest !== 0 || height % deepest !== 0) {
      throw new OptionError(
        width % deepest !== 0 ? "width" : "height",
        `Cannot generate: this T2I-Adapter needs sides that are multiples of ${deepest}; got ` +
          `${width} x ${height}.`,
      );
    }
    const session = await this.#sessions.get(
      `${index} ${width} ${height}`,
      () => this.builder.build(t2iAdapter(config, weights, { batch: 1, height, width })),
    );
    const pixels = unitPixels(image.withoutAlpha().resize(width, height), config.inChannels);
    const shape = [1, config.inChannels, height, width];
    using input = Tensor.from(this.builder.runtime, "float32", pixels, shape);
    const outputs = await session.run({ adapter_image: input }, signal ? { signal } : {});
    return Object.entries(outputs).map(([name, tensor]): ExtraInput => {
      using feature = tensor;
      const data = (feature.data as Float32Array).map((value) => value * scale);
      return { name, shape: feature.shape.slice(1), data, end };
    });
  }
}

/** By how much the last feature is smaller than the first. */
function halvings({ kind, channels }: T2iAdapterConfig): number {
  return kind === "full_adapter_xl"
    ? 2
    : 2 ** (channels.length - (kind === "light_adapter" ? 0 : 1));
}

/** Float32Array [channels, height, width] from 0 to 1: colours, or brightness for one channel. */
function unitPixels(image: Image, channels: number): Float32Array {
  if (channels === 1) return Float32Array.from(image.toGray(), (value) => value / 255);
  return image.toTensor().map((value) => (value + 1) / 2);
}
