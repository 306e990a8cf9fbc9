/**
 * The U-Net at work on several prompts at once.
 *
 * @module
 */

import { Tensor } from "../ffi/tensor.ts";
import type { LatentSize } from "./autoencoder.ts";
import type { ControlRun } from "./control_nets.ts";
import type { ExtraInput } from "./extra_input.ts";
import type { GuidedCall } from "./guide.ts";
import type { SessionBuilder } from "./session_builder.ts";
import type { TimeIds } from "./size_conditioning.ts";
import { FeatureCache, type StepCache } from "./step_cache.ts";
import type { Conditioning } from "./text_conditioning.ts";
import type { CutNetwork } from "./unet_networks.ts";

/** One thing that the U-Net is asked. */
export interface Ask {
  readonly conditioning: Conditioning;
  /** Channels that it sees behind the latents: Float32Array [c, h, w]. */
  readonly beside?: Float32Array | undefined;
  /** False for the unconditional half, which ControlNets in guess mode leave alone. */
  readonly conditional: boolean;
}

/** What the U-Net answers. */
export interface Answer {
  readonly prediction: Float32Array;
  /** For self-attention guidance: how much each place of the mid block is looked at. */
  readonly focus?: Float32Array | undefined;
}

/** Sizes and sessions of a {@linkcode UNetBatch}. */
export interface UNetBatchParts {
  readonly network: CutNetwork;
  /** When only the shallow part of a network that has one is run. */
  readonly stepCache?: StepCache | undefined;
  readonly controls: readonly ControlRun[];
  readonly size: LatentSize;
  /** How many asks it answers at once. */
  readonly batch: number;
  /** SDXL: what it is told of the picture's sizes. */
  readonly timeIds: TimeIds;
  /** What else it is fed, the same at every step. */
  readonly inputs: readonly ExtraInput[];
  readonly signal?: AbortSignal | undefined;
}

/** A batch of asks: holds the tensors that stay the same from step to step. */
export class UNetBatch implements Disposable {
  readonly #feeds: Record<string, Tensor> = {};
  /** Those of `inputs`, which ControlNets do not take. */
  readonly #extra: Record<string, Tensor> = {};
  readonly #latents: Float32Array;
  readonly #sample: Float32Array;
  readonly #timestep: Float32Array;
  readonly #asked: (Ask | undefined)[];
  readonly #cache: FeatureCache | undefined;
  /** The last one that was computed. */
  #focus: Float32Array | undefined;

  /** `like` is an ask of the sizes that all will have. */
  constructor(readonly parts: UNetBatchParts, builder: SessionBuilder, like: Ask) {
    const { batch, size: { channels, height, width }, timeIds } = parts;
    const { conditioning: { tokens, width: hidden, pooled }, beside } = like;
    const one = channels * height * width, more = beside?.length ?? 0;
    this.#asked = new Array(batch).fill(undefined);
    this.#cache = parts.stepCache &&
      new FeatureCache(builder.runtime, parts.network, parts.stepCache);
    this.#latents = new Float32Array(batch * one);
    this.#sample = beside ? new Float32Array(batch * (one + more)) : this.#latents;
    this.#timestep = new Float32Array(batch);
    const feed = (name: string, data: Float32Array, shape: readonly number[]) => {
      this.#feeds[name] = Tensor.from(builder.runtime, "float32", data, [batch, ...shape]);
    };
    feed("latents", this.#latents, [channels, height, width]);
    feed("sample", this.#sample, [channels + more / (height * width), height, width]);
    feed("timestep", this.#timestep, []);
    feed("encoder_hidden_states", new Float32Array(batch * tokens * hidden), [tokens, hidden]);
    for (const { name, shape, data, shared } of parts.inputs) {
      const values = shared ? data : new Float32Array(batch * data.length);
      const whole = shared ? shape : [batch, ...shape];
      this.#extra[name] = Tensor.from(builder.runtime, "float32", values, whole);
    }
    if (!pooled) return;
    feed("text_embeds", new Float32Array(batch * pooled.length), [pooled.length]);
    const { length } = timeIds.conditional;
    feed("time_ids", new Float32Array(batch * length), [length]);
  }

  /** The answers for `input`, Float32Array [channels, height, width], one for each of `asks`. */
  async predict(
    input: Float32Array,
    asks: readonly Ask[],
    call: GuidedCall,
  ): Promise<Answer[]> {
    asks.forEach((ask, i) => this.#ask(i, ask));
    this.#fill(input, asks);
    this.#timestep.fill(call.stage.timestep);
    const residuals = await this.#residuals(call.index, call.count);
    this.#endInputs(call);
    const { latents: _, ...own } = this.#feeds, { signal, network: { session } } = this.parts;
    const feeds = { ...own, ...this.#extra, ...residuals };
    const options = signal ? { signal } : {};
    try {
      const outputs = await (this.#cache?.run(feeds, call, options) ?? session.run(feeds, options));
      using prediction = outputs.noise_prediction!, focus = outputs.focus;
      // The shallow part alone does not see the mid block.
      if (focus) this.#focus = (focus.data as Float32Array).slice();
      const part = (data: Float32Array, i: number) => {
        const one = data.length / asks.length;
        return data.slice(i * one, (i + 1) * one);
      };
      return asks.map((_, i) => ({
        prediction: part(prediction.data as Float32Array, i),
        focus: this.#focus && part(this.#focus, i),
      }));
    } finally {
      for (const tensor of Object.values(residuals)) tensor.dispose();
    }
  }

  /** Releases the tensors. */
  [Symbol.dispose](): void {
    for (const tensor of Object.values(this.#feeds)) tensor.dispose();
    for (const tensor of Object.values(this.#extra)) tensor.dispose();
    for (const control of this.parts.controls) control[Symbol.dispose]();
    this.#cache?.[Symbol.dispose]();
  }

  /** Puts the prompt of `ask` into row `i`, unless it is there. */
  #ask(i: number, ask: Ask): void {
    const { hiddenStates, pooled } = ask.conditioning, before = this.#asked[i];
    this.#asked[i] = ask;
    if (before?.conditional !== ask.conditional) this.#setInputs(i, ask);
    if (before?.conditioning === ask.conditioning) return;
    this.#cache?.forget();
    this.#row("encoder_hidden_states").set(hiddenStates, i * hiddenStates.length);
    if (!pooled) return;
    this.#row("text_embeds").set(pooled, i * pooled.length);
  }

  #setInputs(i: number, { conditional, conditioning }: Ask): void {
    if (conditioning.pooled) {
      const { timeIds } = this.parts, ids = timeIds[conditional ? "conditional" : "unconditional"];
      this.#row("time_ids").set(ids, i * ids.length);
    }
    for (const { name, data, unconditional = data, shared } of this.parts.inputs) {
      if (shared) continue;
      const values = this.#extra[name]!.data as Float32Array;
      values.set(conditional ? data : unconditional, i * data.length);
    }
  }

  /** Zeros for those that have ceased to act, counted as diffusers counts steps. */
  #endInputs({ index, count }: GuidedCall): void {
    for (const { name, end = 1 } of this.parts.inputs) {
      if (end < 1 && index >= Math.trunc(count * end)) {
        (this.#extra[name]!.data as Float32Array).fill(0);
      }
    }
  }

  #row(name: string): Float32Array {
    return this.#feeds[name]!.data as Float32Array;
  }

  /** The same latents for every ask; behind them what stays beside them. */
  #fill(input: Float32Array, asks: readonly Ask[]): void {
    for (const [i, { beside }] of asks.entries()) {
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
    const { latents, sample: _, ...rest } = this.#feeds, { controls, signal } = this.parts;
    const conditional = this.#asked.map((ask) => ask!.conditional);
    for (const control of controls) {
      const acts = control.actsAt(index, count);
      // Without a first result there is nothing to add zeros to: make them of the right size.
      if (!acts && Object.keys(sums).length > 0) continue;
      const residuals = await control.residuals(
        { ...rest, sample: latents! },
        conditional,
        signal,
      );
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
