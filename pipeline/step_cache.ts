/**
 * Step caching: at most calls only the shallow part of the U-Net runs, beside what its deep part
 * gave before (DeepCache, Ma et al. 2023, arXiv:2312.00858).
 *
 * @module
 */

import type { Runtime } from "../ffi/runtime.ts";
import type { RunOptions } from "../ffi/session.ts";
import { Tensor } from "../ffi/tensor.ts";
import type { Row } from "../schedulers/plan.ts";
import { DEEP_FEATURE, skipCount } from "../models/unet.ts";
import type { UNetConfig } from "../models/unet_config.ts";
import type { GuidedCall } from "./guide.ts";
import { OptionError, requireInteger, requireNumber } from "./options.ts";
import type { CutNetwork } from "./unet_networks.ts";

/** When the deep part of the U-Net is computed, and what is deep. */
export interface StepCache {
  /** It is computed at every so-many-th call; between, its last result is used. 1: always. */
  readonly interval: number;
  /** Skip connections above the cut: the fewer, the faster and the further off. Default 1. */
  readonly depth?: number;
  /** Part of the run, from its beginning, in which all calls are whole. Default 0.2. */
  readonly start?: number;
}

/** Where pictures are laid out: a deep part that is late there changes what is drawn. */
const START = 0.2;

/** Checks the option without a model. @throws {OptionError} */
export function checkStepCache({ interval, depth = 1, start = START }: StepCache): void {
  requireInteger("stepCache.interval", interval, 1);
  requireInteger("stepCache.depth", depth, 1);
  requireNumber("stepCache.start", start, 0, 1);
}

/** The depth of the cut; undefined where every call is whole. @throws {OptionError} */
export function cutDepth(cache: StepCache | undefined, config: UNetConfig): number | undefined {
  if (!cache || cache.interval === 1) return undefined;
  const { depth = 1 } = cache, skips = skipCount(config);
  if (depth <= skips) return depth;
  throw new OptionError(
    "stepCache.depth",
    `Cannot generate: this U-Net has ${skips} skip connections; got a cache depth of ${depth}.`,
  );
}

/** Whether the deep part is due at call `index` of `count`. */
export function isWhole(cache: StepCache, index: number, count: number): boolean {
  const { interval, start = START } = cache, last = Math.max(Math.ceil(start * count) - 1, 0);
  return index <= last || (index - last) % interval === 0;
}

/**
 * How much larger errors of alternating sign become in a row of weights, for each of equal sign:
 * 1 for Euler and DDIM, 2 for second order, 6.7 for PNDM's fourth.
 */
export function amplification({ results }: Row): number {
  const sum = results.reduce((a, b) => a + b, 0);
  return results.reduce((a, b) => a + Math.abs(b), 0) / Math.abs(sum);
}

/** Beyond, lines through two results came out worse than the last one held: bench/HISTORY.md. */
export const MOST_AMPLIFIED = 4;

/** A result of the deep part, and the call that it is of. */
interface Feature {
  readonly tensor: Tensor;
  readonly timestep: number;
  readonly index: number;
}

/** Runs one batch of prompts through a cut network. */
export class FeatureCache implements Disposable {
  /** The last two results, the newest first. */
  #known: readonly Feature[] = [];
  #guess: Tensor | undefined;

  constructor(
    readonly runtime: Runtime,
    readonly network: CutNetwork,
    readonly options: StepCache,
  ) {}

  /** Runs all of the network, or its shallow part, on the inputs that both take. */
  async run(
    feeds: Readonly<Record<string, Tensor>>,
    call: GuidedCall,
    options: RunOptions,
  ): Promise<Record<string, Tensor>> {
    const { session, shallow } = this.network, guess = shallow && this.#at(call);
    if (guess) return await shallow.run({ ...feeds, [DEEP_FEATURE]: guess }, options);
    const { [DEEP_FEATURE]: tensor, ...outputs } = await session.run(feeds, options);
    if (tensor) this.#keep(tensor, call);
    return outputs;
  }

  /** What the results were for has changed. */
  forget(): void {
    for (const { tensor } of this.#known) tensor.dispose();
    this.#known = [];
  }

  /** Releases the tensors. */
  [Symbol.dispose](): void {
    this.forget();
    this.#guess?.dispose();
  }

  #keep(tensor: Tensor, { stage: { timestep }, index }: GuidedCall): void {
    const [last, before] = this.#known;
    before?.tensor.dispose();
    this.#known = [{ tensor, timestep, index }, ...(last ? [last] : [])];
  }

  /**
   * What the deep part would about give at a call: its last result, or where that lies no further
   * back than the one before lay from it, the line through both, over timesteps. Undefined where it
   * is due. No line for a sampler that makes much of small differences between results.
   */
  #at({ index, count, stage }: GuidedCall): Tensor | undefined {
    const [last, before] = this.#known;
    if (!last || this.#isDue(last.index, index, count)) return undefined;
    if (!before || amplification(stage.next) > MOST_AMPLIFIED) return last.tensor;
    const share = (stage.timestep - last.timestep) / (last.timestep - before.timestep);
    return Math.abs(share) <= 1 ? this.#line(last.tensor, before.tensor, share) : last.tensor;
  }

  /** Whether a whole call was due after `last`: this batch may not have been asked at all of them. */
  #isDue(last: number, index: number, count: number): boolean {
    for (let at = last + 1; at <= index; at++) {
      if (isWhole(this.options, at, count)) return true;
    }
    return false;
  }

  #line(last: Tensor, before: Tensor, share: number): Tensor {
    const a = last.data as Float32Array, b = before.data as Float32Array;
    this.#guess ??= Tensor.from(this.runtime, "float32", new Float32Array(a.length), last.shape);
    const out = this.#guess.data as Float32Array;
    for (let i = 0; i < out.length; i++) out[i] = a[i]! + share * (a[i]! - b[i]!);
    return this.#guess;
  }
}
