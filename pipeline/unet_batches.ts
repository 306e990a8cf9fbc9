/**
 * Asks of one or several pictures, answered by as few runs of the U-Net as can be.
 *
 * @module
 */

import type { LatentSize } from "./autoencoder.ts";
import type { GuidedPrompt } from "./noise_predictor.ts";
import type { Answer, Ask, AskKind, UNetBatch } from "./unet_batch.ts";
import type { UNetVariant } from "../models/unet_variant.ts";

/** Makes a batch with `rows` rows, for `asks` of one kind and length. */
export type OpenBatch = (asks: readonly Ask[], rows: number) => Promise<UNetBatch>;

/** Keeps the batches of the pictures that are drawn together. */
export class UNetBatches implements Disposable {
  readonly #batches = new Map<string, UNetBatch[]>();

  /** `rows` says how many rows a batch has for so many asks. */
  constructor(readonly open: OpenBatch, readonly rows: (asks: number) => number) {}

  /** Answers all asks; what one run can answer, in one. */
  async answer(asks: readonly Ask[], signal?: AbortSignal): Promise<Answer[]> {
    const groups = Map.groupBy(asks.keys(), (i) => runKey(asks[i]!)), answers: Answer[] = [];
    for (const places of groups.values()) {
      const own = places.map((i) => asks[i]!), batch = await this.#batch(own);
      const found = await batch.predict(own, signal);
      places.forEach((place, i) => answers[place] = found[i]!);
    }
    return answers;
  }

  /** Releases the tensors. */
  [Symbol.dispose](): void {
    for (const batch of [...this.#batches.values()].flat()) batch[Symbol.dispose]();
  }

  async #batch(asks: readonly Ask[]): Promise<UNetBatch> {
    const key = batchKey(asks[0]!), kept = this.#batches.get(key) ?? [];
    const known = kept.find((batch) => batch.isFor(asks));
    if (known && !known.parts.network.session.disposed) return known;
    const batch = await this.open(asks, this.rows(asks.length));
    known?.[Symbol.dispose]();
    this.#batches.set(key, [...kept.filter((other) => other !== known), batch]);
    return batch;
  }
}

/** Equal for asks that one batch has rows for. */
function batchKey({ kind, conditioning: { tokens }, beside }: Ask): string {
  return `${kind.key} ${tokens} ${beside?.length ?? 0}`;
}

/** Equal for asks that one run of the U-Net can answer. */
function runKey(ask: Ask): string {
  const { kind: { prompt: { controls, stepCache, inputs = [] } }, call: { index, count } } = ask;
  // What begins, ends, or is cached by the number of the call.
  const isTimed = controls.length > 0 || stepCache || inputs.some(({ end = 1 }) => end < 1);
  return isTimed ? `${batchKey(ask)} ${index} ${count}` : batchKey(ask);
}

/** What the U-Net is asked of. */
export interface KindOptions {
  readonly prompt: GuidedPrompt;
  readonly size: LatentSize;
  readonly variant?: UNetVariant | undefined;
  /** What it is asked for, where a picture has several asks under one prompt. Default "". */
  readonly purpose?: string;
}

/** The kind of asks for one purpose. */
export function askKind({ prompt, size, variant, purpose = "" }: KindOptions): AskKind {
  const { controls, imagePrompts = [], inputs = [], stepCache, selfAttentionScale = 0 } = prompt;
  const key = JSON.stringify([
    ...[purpose, size, variant, stepCache, selfAttentionScale !== 0, prompt.loraKey],
    controls.map(({ image: _, ...settings }) => settings),
    imagePrompts.map(({ tokens }) => tokens),
    inputs.map(({ name, shape, end }) => [name, shape, end]),
    // One for the whole batch; LoRAs are known by their key.
    inputs.filter(({ shared, data }) => shared && data.length === 1).map(({ data }) => data[0]),
  ]);
  return { key, prompt, size, variant };
}
