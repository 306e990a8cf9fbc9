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
import type { GuidedPrompt } from "./noise_predictor.ts";
import { FeatureCache } from "./step_cache.ts";
import type { Conditioning } from "./text_conditioning.ts";
import type { CutNetwork } from "./unet_networks.ts";
import type { UNetVariant } from "../models/unet_variant.ts";

/** What asks have in common, and what their picture gives the U-Net at every call. */
export interface AskKind {
  /** Equal where asks can be answered by one run of the U-Net. */
  readonly key: string;
  readonly prompt: GuidedPrompt;
  readonly size: LatentSize;
  readonly variant?: UNetVariant | undefined;
}

/** One thing that the U-Net is asked. */
export interface Ask {
  readonly kind: AskKind;
  /** Which of its picture's asks it is; the same at every call. */
  readonly place: string;
  readonly conditioning: Conditioning;
  /** Channels that it sees behind the latents: Float32Array [c, h, w]. */
  readonly beside?: Float32Array | undefined;
  /** False for the unconditional half, which ControlNets in guess mode leave alone. */
  readonly conditional: boolean;
  /** The latents: Float32Array [channels, height, width]. */
  readonly input: Float32Array;
  readonly call: GuidedCall;
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
  readonly controls: readonly ControlRun[];
  /** How many asks it answers at once. */
  readonly batch: number;
  /** What else it is fed, as the first picture has it. */
  readonly inputs: readonly ExtraInput[];
}

/**
 * A batch of asks: holds the tensors that stay the same from step to step. Every ask has its row;
 * one that is not asked any more leaves its row as it was.
 */
export class UNetBatch implements Disposable {
  readonly #feeds: Record<string, Tensor> = {};
  /** Those of `inputs`, which ControlNets do not take. */
  readonly #extra: Record<string, Tensor> = {};
  readonly #latents: Float32Array;
  readonly #sample: Float32Array;
  readonly #timestep: Float32Array;
  /** The rows of each picture's asks. */
  readonly #rows = new Map<GuidedPrompt, Map<string, number>>();
  readonly #asked: (Ask | undefined)[];
  readonly #cache: FeatureCache | undefined;
  /** The last one that was computed. */
  #focus: Float32Array | undefined;

  /** For `asks` and those that come after them in the same places. */
  constructor(readonly parts: UNetBatchParts, builder: SessionBuilder, asks: readonly Ask[]) {
    const [like] = asks, { batch } = parts;
    const { kind, conditioning: { tokens, width: hidden, pooled }, beside } = like!;
    const { prompt: { stepCache, timeIds }, size: { channels, height, width } } = kind;
    const one = channels * height * width, more = beside?.length ?? 0;
    for (const [row, { kind: { prompt }, place }] of asks.entries()) {
      const places = this.#rows.get(prompt) ?? new Map<string, number>();
      this.#rows.set(prompt, places.set(place, row));
    }
    this.#asked = new Array(batch).fill(undefined);
    this.#cache = stepCache && new FeatureCache(builder.runtime, parts.network, stepCache);
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

  /** Whether it has the rows for `asks`, and of their pictures no other rows. */
  isFor(asks: readonly Ask[]): boolean {
    const counts = new Map<GuidedPrompt, number>();
    for (const { kind: { prompt }, place } of asks) {
      if (!this.#rows.get(prompt)?.has(place)) return false;
      counts.set(prompt, (counts.get(prompt) ?? 0) + 1);
    }
    return [...counts].every(([prompt, count]) => this.#rows.get(prompt)!.size === count);
  }

  /** The answers, one for each of `asks`, which are of one kind and of one call. */
  async predict(asks: readonly Ask[], signal?: AbortSignal): Promise<Answer[]> {
    const rows = asks.map(({ kind: { prompt }, place }) => this.#rows.get(prompt)!.get(place)!);
    asks.forEach((ask, i) => this.#ask(rows[i]!, ask));
    const [{ call }] = asks as [Ask];
    const residuals = await this.#residuals(call, signal);
    this.#endInputs(call);
    const { latents: _, ...own } = this.#feeds, { network: { session } } = this.parts;
    const feeds = { ...own, ...this.#extra, ...residuals };
    const options = signal ? { signal } : {};
    try {
      const outputs = await (this.#cache?.run(feeds, call, options) ?? session.run(feeds, options));
      using prediction = outputs.noise_prediction!, focus = outputs.focus;
      // The shallow part alone does not see the mid block.
      if (focus) this.#focus = (focus.data as Float32Array).slice();
      const part = (data: Float32Array, row: number) => {
        const one = data.length / this.parts.batch;
        return data.slice(row * one, (row + 1) * one);
      };
      return rows.map((row) => ({
        prediction: part(prediction.data as Float32Array, row),
        focus: this.#focus && part(this.#focus, row),
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

  /** Puts what `ask` says into its row, unless it is there. */
  #ask(i: number, ask: Ask): void {
    const { conditioning: { hiddenStates, pooled }, input, beside } = ask;
    const before = this.#asked[i];
    this.#asked[i] = ask;
    this.#timestep[i] = ask.call.stage.timestep;
    this.#latents.set(input, i * input.length);
    if (beside) {
      const at = i * (input.length + beside.length);
      this.#sample.set(input, at);
      this.#sample.set(beside, at + input.length);
    }
    if (before?.conditional !== ask.conditional) this.#setInputs(i, ask);
    if (before?.conditioning === ask.conditioning) return;
    this.#cache?.forget();
    this.#row("encoder_hidden_states").set(hiddenStates, i * hiddenStates.length);
    if (pooled) this.#row("text_embeds").set(pooled, i * pooled.length);
  }

  #setInputs(i: number, { conditional, kind: { prompt } }: Ask): void {
    const { timeIds, controls, inputs = [] } = prompt;
    if (this.#feeds.time_ids) {
      const ids = timeIds[conditional ? "conditional" : "unconditional"];
      this.#row("time_ids").set(ids, i * ids.length);
    }
    for (const [k, control] of controls.entries()) this.parts.controls[k]!.show(i, control);
    for (const { name, data, unconditional = data, shared } of inputs) {
      const values = this.#extra[name]?.data as Float32Array | undefined;
      if (!shared) values?.set(conditional ? data : unconditional, i * data.length);
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

  /** The sum of what the ControlNets add; zeros where none acts now. */
  async #residuals(
    { index, count }: GuidedCall,
    signal: AbortSignal | undefined,
  ): Promise<Record<string, Tensor>> {
    const sums: Record<string, Tensor> = {};
    const { latents, sample: _, ...rest } = this.#feeds, { controls } = this.parts;
    const conditional = this.#asked.map((ask) => ask?.conditional ?? true);
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
