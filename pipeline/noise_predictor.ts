/**
 * The U-Net with guidance: from latents and two prompts to one prediction.
 *
 * @module
 */

import type { Session } from "../ffi/session.ts";
import { Tensor } from "../ffi/tensor.ts";
import { unet } from "../models/unet.ts";
import { classifierFreeGuidance, rescaleGuidance } from "../schedulers/guidance.ts";
import type { ModelParts } from "./model_parts.ts";
import type { SessionBuilder } from "./session_builder.ts";
import { SessionCache } from "./session_cache.ts";
import type { Conditioning } from "./text_conditioning.ts";

/** What a run of predictions has in common. */
export interface GuidedPrompt {
  readonly positive: Conditioning;
  /** Absent where there is no guidance: the U-Net then runs on one picture, not two. */
  readonly negative?: Conditioning;
  readonly guidanceScale: number;
  readonly guidanceRescale: number;
  /** SDXL: original height and width, crop top and left, target height and width. */
  readonly timeIds: readonly number[];
  /** Channels behind the latents that stay the same at every call: Float32Array [c, h, w]. */
  readonly beside?: Float32Array;
}

/** Predicts the noise in latents, both halves of guidance as one batch. */
export class NoisePredictor implements Disposable {
  readonly #sessions = new SessionCache(2);

  constructor(readonly parts: ModelParts, readonly builder: SessionBuilder) {}

  /**
   * Prepares predictions for latents of `height` x `width`; call the result once a step with
   * Float32Array [channels, height, width]. It returns the same array each time.
   */
  async prepare(
    prompt: GuidedPrompt,
    size: { readonly height: number; readonly width: number },
    signal?: AbortSignal,
  ): Promise<GuidedRun> {
    const batch = prompt.negative ? 2 : 1;
    const shape = { batch, ...size, sequence: prompt.positive.tokens };
    const { config, weights } = this.parts.unet;
    const session = await this.#sessions.get(
      Object.values(shape).join(" "),
      () => this.builder.build(unet(config, weights, shape)),
    );
    return new GuidedRun(session, this.builder, prompt, config, size, signal);
  }

  /** Releases the sessions. */
  [Symbol.dispose](): void {
    this.#sessions[Symbol.dispose]();
  }
}

/** Predictions for one picture: the tensors that stay the same from step to step. */
export class GuidedRun implements Disposable {
  readonly #feeds: Record<string, Tensor> = {};
  readonly #sample: Float32Array;
  readonly #timestep: Float32Array;
  readonly #guided: Float32Array;

  constructor(
    readonly session: Session,
    builder: SessionBuilder,
    readonly prompt: GuidedPrompt,
    config: ModelParts["unet"]["config"],
    { height, width }: { readonly height: number; readonly width: number },
    readonly signal?: AbortSignal,
  ) {
    const { positive, negative, timeIds } = prompt;
    // The unconditional half comes first, as in diffusers.
    const halves = negative ? [negative, positive] : [positive];
    const batch = halves.length, one = config.inChannels * height * width;
    this.#sample = new Float32Array(batch * one);
    this.#timestep = new Float32Array(batch);
    this.#guided = new Float32Array(config.outChannels * height * width);
    const feed = (name: string, data: Float32Array, shape: readonly number[]) => {
      this.#feeds[name] = Tensor.from(builder.runtime, "float32", data, [batch, ...shape]);
    };
    feed("sample", this.#sample, [config.inChannels, height, width]);
    feed("timestep", this.#timestep, []);
    feed("encoder_hidden_states", stack(halves.map((half) => half.hiddenStates)), [
      positive.tokens,
      positive.width,
    ]);
    if (positive.pooled) {
      feed("text_embeds", stack(halves.map((half) => half.pooled!)), [positive.pooled.length]);
      feed("time_ids", stack(halves.map(() => Float32Array.from(timeIds))), [timeIds.length]);
    }
  }

  /** The guided prediction for `input` at `timestep`; the array is reused by the next call. */
  async predict(input: Float32Array, timestep: number): Promise<Float32Array> {
    const { beside } = this.prompt, one = this.#sample.length / this.#timestep.length;
    for (let at = 0; at < this.#sample.length; at += one) {
      this.#sample.set(input, at);
      if (beside) this.#sample.set(beside, at + input.length);
    }
    this.#timestep.fill(timestep);
    const outputs = await this.session.run(
      this.#feeds,
      this.signal ? { signal: this.signal } : {},
    );
    using prediction = outputs.noise_prediction!;
    const data = prediction.data as Float32Array, half = this.#guided.length;
    if (!this.prompt.negative) {
      this.#guided.set(data);
      return this.#guided;
    }
    const { guidanceScale, guidanceRescale } = this.prompt;
    const conditional = data.subarray(half);
    classifierFreeGuidance(data.subarray(0, half), conditional, guidanceScale, this.#guided);
    if (guidanceRescale > 0) rescaleGuidance(this.#guided, conditional, guidanceRescale);
    return this.#guided;
  }

  /** Releases the tensors. */
  [Symbol.dispose](): void {
    for (const tensor of Object.values(this.#feeds)) tensor.dispose();
  }
}

/** Rows one after the other. */
function stack(rows: readonly Float32Array[]): Float32Array {
  const stacked = new Float32Array(rows.length * rows[0]!.length);
  rows.forEach((row, i) => stacked.set(row, i * row.length));
  return stacked;
}
