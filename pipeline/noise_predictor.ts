/**
 * The U-Net with guidance: from latents and prompts to one prediction.
 *
 * @module
 */

import type { Session } from "../ffi/session.ts";
import { Tensor } from "../ffi/tensor.ts";
import type { ControlNetConfig } from "../models/controlnet_config.ts";
import { unet } from "../models/unet.ts";
import { batchParts } from "../schedulers/guidance.ts";
import type { LatentSize } from "./autoencoder.ts";
import { type Control, ControlRun, controlSession } from "./control_nets.ts";
import type { Guide, GuidedCall } from "./guide.ts";
import type { ModelParts, Network } from "./model_parts.ts";
import type { SessionBuilder } from "./session_builder.ts";
import { SessionCache } from "./session_cache.ts";
import type { Conditioning } from "./text_conditioning.ts";

/** What a run of predictions has in common. */
export interface GuidedPrompt {
  /** What the U-Net is asked under, as one batch; the prompt itself is the last. */
  readonly conditionings: readonly Conditioning[];
  /** Makes one prediction of the batch's. */
  readonly guide: Guide;
  /** SDXL: original height and width, crop top and left, target height and width. */
  readonly timeIds: readonly number[];
  /** Channels behind the latents that stay the same at every call: Float32Array [c, h, w]. */
  readonly beside?: Float32Array;
  /** One for each ControlNet. */
  readonly controls: readonly Control[];
}

/** Predicts the noise in latents, both halves of guidance as one batch. */
export class NoisePredictor implements Disposable {
  readonly #sessions = new SessionCache(2);
  readonly #controls = new SessionCache(4);

  constructor(
    readonly parts: ModelParts,
    readonly controlNets: readonly Network<ControlNetConfig>[],
    readonly builder: SessionBuilder,
  ) {}

  /** Prepares the predictions of one picture. */
  async prepare(
    prompt: GuidedPrompt,
    size: LatentSize,
    signal?: AbortSignal,
  ): Promise<GuidedRun> {
    const { height, width } = size, { conditionings } = prompt;
    const shape = {
      batch: conditionings.length,
      height,
      width,
      sequence: conditionings[0]!.tokens,
    };
    const { config, weights } = this.parts.unet, key = Object.values(shape).join(" ");
    const controlResiduals = prompt.controls.length > 0;
    const session = await this.#sessions.get(
      `${key} ${controlResiduals}`,
      () => this.builder.build(unet(config, weights, shape, { controlResiduals })),
    );
    const run = new GuidedRun(session, this.builder, prompt, size, signal);
    const { factor } = this.parts.vae.config;
    const pixels = { batch: shape.batch, width: width * factor, height: height * factor };
    for (const [i, control] of prompt.controls.entries()) {
      const net = this.controlNets[i]!;
      const controlled = await this.#controls.get(
        `${i} ${key}`,
        () => controlSession(this.builder, net, shape),
      );
      run.add(new ControlRun(controlled, this.builder, control, pixels));
    }
    return run;
  }

  /** Releases the sessions. */
  [Symbol.dispose](): void {
    this.#sessions[Symbol.dispose]();
    this.#controls[Symbol.dispose]();
  }
}

/** The predictions of one picture: holds the tensors that stay the same from step to step. */
export class GuidedRun implements Disposable {
  readonly #session: Session;
  readonly #prompt: GuidedPrompt;
  readonly #signal: AbortSignal | undefined;
  readonly #feeds: Record<string, Tensor> = {};
  readonly #controls: ControlRun[] = [];
  readonly #latents: Float32Array;
  readonly #sample: Float32Array;
  readonly #timestep: Float32Array;
  readonly #guided: Float32Array;

  constructor(
    session: Session,
    builder: SessionBuilder,
    prompt: GuidedPrompt,
    { channels, height, width }: LatentSize,
    signal?: AbortSignal,
  ) {
    this.#session = session;
    this.#prompt = prompt;
    this.#signal = signal;
    const { conditionings, timeIds, beside } = prompt;
    const [first] = conditionings, batch = conditionings.length;
    const one = channels * height * width, more = beside?.length ?? 0;
    this.#latents = new Float32Array(batch * one);
    this.#sample = beside ? new Float32Array(batch * (one + more)) : this.#latents;
    this.#timestep = new Float32Array(batch);
    this.#guided = new Float32Array(one);
    const feed = (name: string, data: Float32Array, shape: readonly number[]) => {
      this.#feeds[name] = Tensor.from(builder.runtime, "float32", data, [batch, ...shape]);
    };
    feed("latents", this.#latents, [channels, height, width]);
    feed("sample", this.#sample, [channels + more / (height * width), height, width]);
    feed("timestep", this.#timestep, []);
    const states = stack(conditionings.map(({ hiddenStates }) => hiddenStates));
    feed("encoder_hidden_states", states, [first!.tokens, first!.width]);
    if (first!.pooled) {
      feed("text_embeds", stack(conditionings.map(({ pooled }) => pooled!)), [
        first!.pooled.length,
      ]);
      feed("time_ids", stack(conditionings.map(() => Float32Array.from(timeIds))), [
        timeIds.length,
      ]);
    }
  }

  /** Lets a ControlNet act on this picture. */
  add(control: ControlRun): void {
    this.#controls.push(control);
  }

  /**
   * The guided prediction for `input`, Float32Array [channels, height, width], at the call of the
   * plan. The result is overwritten by the next call.
   */
  async predict(input: Float32Array, call: GuidedCall): Promise<Float32Array> {
    this.#fill(input);
    this.#timestep.fill(call.stage.timestep);
    const residuals = await this.#residuals(call.index, call.count);
    const { latents: _, ...feeds } = this.#feeds;
    try {
      const outputs = await this.#session.run({ ...feeds, ...residuals }, this.#options);
      using prediction = outputs.noise_prediction!;
      const parts = batchParts(prediction.data as Float32Array, this.#timestep.length);
      this.#prompt.guide(parts, this.#guided, call);
      return this.#guided;
    } finally {
      for (const tensor of Object.values(residuals)) tensor.dispose();
    }
  }

  /** Releases the tensors. */
  [Symbol.dispose](): void {
    for (const tensor of Object.values(this.#feeds)) tensor.dispose();
    for (const control of this.#controls) control[Symbol.dispose]();
  }

  get #options(): { signal?: AbortSignal } {
    return this.#signal ? { signal: this.#signal } : {};
  }

  /** The same latents for every half; for inpainting models with what stays beside them. */
  #fill(input: Float32Array): void {
    const { beside } = this.#prompt, batch = this.#timestep.length;
    for (let i = 0; i < batch; i++) {
      this.#latents.set(input, i * input.length);
      if (!beside) continue;
      const at = i * (input.length + beside.length);
      this.#sample.set(input, at);
      this.#sample.set(beside, at + input.length);
    }
  }

  /** The sum of what the ControlNets add; zeros where none acts now. */
  async #residuals(index: number, count: number): Promise<Record<string, Tensor>> {
    const sums: Record<string, Tensor> = {};
    const { latents, sample: _, ...rest } = this.#feeds;
    for (const control of this.#controls) {
      const acts = control.actsAt(index, count);
      // Without a first result there is nothing to add zeros to: make them of the right size.
      if (!acts && Object.keys(sums).length > 0) continue;
      const residuals = await control.residuals({ ...rest, sample: latents! }, this.#signal);
      for (const [name, tensor] of Object.entries(residuals)) {
        const data = tensor.data as Float32Array;
        if (!acts) data.fill(0);
        const sum = sums[name];
        if (!sum) {
          sums[name] = tensor;
          continue;
        }
        const total = sum.data as Float32Array;
        for (let i = 0; i < total.length; i++) total[i]! += data[i]!;
        tensor.dispose();
      }
    }
    return sums;
  }
}

/** Rows one after the other. */
function stack(rows: readonly Float32Array[]): Float32Array {
  const stacked = new Float32Array(rows.length * rows[0]!.length);
  rows.forEach((row, i) => stacked.set(row, i * row.length));
  return stacked;
}
