/**
 * ControlNets beside the U-Net: from a control picture to what is added to its skip connections.
 *
 * @module
 */

import { join } from "node:path";
import type { Session } from "../ffi/session.ts";
import { Tensor } from "../ffi/tensor.ts";
import { controlNetCheckpointConfig } from "../models/checkpoint_configs.ts";
import {
  isControlNetCheckpoint,
  openControlNetCheckpoint,
} from "../models/checkpoint_controlnet.ts";
import { controlNet } from "../models/controlnet.ts";
import { type ControlNetConfig, controlNetConfig } from "../models/controlnet_config.ts";
import { ModelFormatError } from "../weights/model_format_error.ts";
import { openComponent, openWeights } from "../weights/open_weights.ts";
import type { Image } from "./image.ts";
import type { Network } from "./model_parts.ts";
import { readJsonObject } from "./pipeline_index.ts";
import type { NetworkSession } from "./network_session.ts";
import type { SessionBuilder } from "./session_builder.ts";

/** What one ControlNet is shown, and when it acts. */
export interface Control {
  /** Edges, depth, a pose: what the ControlNet was trained on. */
  readonly image: Image;
  /** How strongly it acts. Default 1. */
  readonly scale?: number;
  /** Part of the run at which it begins to act, 0..1. Default 0. */
  readonly start?: number;
  /** Part of the run at which it ceases to act, 0..1. Default 1. */
  readonly end?: number;
  /** Guess mode: acts on the prompt's half alone, and less on the finer skips. Default false. */
  readonly guess?: boolean;
}

/** Opens a ControlNet: a diffusers folder or a single file. @throws {ModelFormatError} */
export async function openControlNet(path: string): Promise<Network<ControlNetConfig>> {
  let isDirectory: boolean;
  try {
    isDirectory = (await Deno.stat(path)).isDirectory;
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new ModelFormatError(`Cannot open ControlNet ${path}: there is no such folder or file.`, {
      path,
      cause,
    });
  }
  if (isDirectory) {
    const configPath = join(path, "config.json");
    const config = controlNetConfig(await readJsonObject(configPath), configPath);
    return { config, weights: await openComponent(path) };
  }
  const source = await openWeights(path);
  if (!isControlNetCheckpoint(source)) {
    throw new ModelFormatError(`Cannot open ${path} as a ControlNet: it holds none.`, { path });
  }
  const checkpoint = openControlNetCheckpoint(source);
  const config = controlNetConfig({ ...controlNetCheckpointConfig(checkpoint) }, path);
  return { config, weights: checkpoint.controlNet };
}

/** One ControlNet at work on a batch of pictures; `control` says when and how strongly it acts. */
export class ControlRun implements Disposable {
  readonly #control: Tensor;
  readonly #scale: Tensor;
  /** The picture shown last, as the network sees it. */
  #shown: { readonly image: Image; readonly pixels: Float32Array } | undefined;

  constructor(
    readonly session: NetworkSession,
    builder: SessionBuilder,
    readonly control: Control,
    readonly size: { readonly batch: number; readonly width: number; readonly height: number },
  ) {
    const { batch, width, height } = size, all = new Float32Array(batch * 3 * height * width);
    this.#control = Tensor.from(builder.runtime, "float32", all, [batch, 3, height, width]);
    const scale = Float32Array.of(control.scale ?? 1);
    this.#scale = Tensor.from(builder.runtime, "float32", scale, [1]);
  }

  /** Shows it the picture for row `i` of the batch. */
  show(i: number, { image }: Control): void {
    const { width, height } = this.size;
    if (this.#shown?.image !== image) {
      const pixels = image.withoutAlpha().resize(width, height).toTensor();
      this.#shown = { image, pixels: pixels.map((value) => (value + 1) / 2) };
    }
    const { pixels } = this.#shown!;
    (this.#control.data as Float32Array).set(pixels, i * pixels.length);
  }

  /** Whether it acts at call `index` of `count`, counted as diffusers does. */
  actsAt(index: number, count: number): boolean {
    const { start = 0, end = 1 } = this.control;
    return !(index / count < start || (index + 1) / count > end);
  }

  /**
   * The residuals for the U-Net's own inputs; dispose them after the U-Net has run. `conditional`
   * says of each picture of the batch whether it is the prompt's half.
   */
  async residuals(
    feeds: Readonly<Record<string, Tensor>>,
    conditional: readonly boolean[],
    signal?: AbortSignal,
  ): Promise<Record<string, Tensor>> {
    const own = { ...feeds, controlnet_cond: this.#control, conditioning_scale: this.#scale };
    const residuals = await this.session.run(own, signal ? { signal } : {});
    if (this.control.guess) spare(residuals, conditional);
    return residuals;
  }

  /** Releases the tensors. */
  [Symbol.dispose](): void {
    this.#control.dispose();
    this.#scale.dispose();
  }
}

/** Guess mode: nothing is added to the unconditional part. */
function spare(residuals: Record<string, Tensor>, conditional: readonly boolean[]): void {
  for (const { data } of Object.values(residuals)) {
    const values = data as Float32Array, one = values.length / conditional.length;
    conditional.forEach((acts, k) => {
      if (!acts) values.fill(0, k * one, (k + 1) * one);
    });
  }
}

/** Builds the session of a ControlNet. */
export function controlSession(
  builder: SessionBuilder,
  { config, weights }: Network<ControlNetConfig>,
  shape: Parameters<typeof controlNet>[2],
  guessMode: boolean,
): Promise<Session> {
  return builder.build(controlNet(config, weights, shape, { guessMode }));
}
