/**
 * From a prompt to what the U-Net's cross-attention looks at.
 *
 * @module
 */

import { Tensor } from "../ffi/tensor.ts";
import { clipTextModel } from "../models/clip_text.ts";
import type { LearnedTokens } from "./embeddings.ts";
import type { ModelParts, TextEncoderParts } from "./model_parts.ts";
import type { SessionBuilder } from "./session_builder.ts";
import { SessionCache } from "./session_cache.ts";

/** An encoded prompt. */
export interface Conditioning {
  /** `encoder_hidden_states`, Float32Array [tokens, width]. */
  readonly hiddenStates: Float32Array;
  /** 77, or a multiple for prompts in chunks. */
  readonly tokens: number;
  /** The text encoder's hidden size; the sum of both for SDXL. */
  readonly width: number;
  /** SDXL: the projected state of the whole prompt, Float32Array [P]. */
  readonly pooled?: Float32Array;
  /** The end of the prompt that did not fit the encoder's window; empty where all did. */
  readonly truncated: string;
}

/** What one text encoder makes of a prompt. */
interface Encoded extends Omit<Conditioning, "pooled"> {
  readonly pooled: Float32Array | undefined;
}

/** Encoded prompts to remember: a list of prompts shares its negative one. */
const REMEMBERED = 64;

/** Encodes prompts, each text once. */
export class TextConditioner implements Disposable {
  readonly #sessions = new SessionCache(4);
  readonly #remembered = new Map<string, Conditioning>();

  constructor(
    readonly parts: ModelParts,
    readonly learned: readonly LearnedTokens[],
    readonly builder: SessionBuilder,
  ) {}

  /** Encodes `prompt`, leaving out the last `clipSkip` layers of the text encoders. */
  async encode(prompt: string, clipSkip: number, signal?: AbortSignal): Promise<Conditioning> {
    const key = `${clipSkip} ${prompt}`;
    let conditioning = this.#remembered.get(key);
    this.#remembered.delete(key);
    conditioning ??= join(
      await Promise.all(
        this.parts.textEncoders.map((_, i) => this.#encode(i, prompt, clipSkip, signal)),
      ),
    );
    this.#remembered.set(key, conditioning);
    if (this.#remembered.size > REMEMBERED) {
      this.#remembered.delete(this.#remembered.keys().next().value!);
    }
    return conditioning;
  }

  /** Releases the sessions. */
  [Symbol.dispose](): void {
    this.#sessions[Symbol.dispose]();
    this.#remembered.clear();
  }

  async #encode(
    index: number,
    prompt: string,
    clipSkip: number,
    signal: AbortSignal | undefined,
  ): Promise<Encoded> {
    const encoder = this.parts.textEncoders[index]!;
    const { ids: all, truncated } = encoder.tokenizer.encode(prompt);
    const { ids: own, vectors } = this.learned[index]!, { vocabSize, hiddenSize } = encoder.config;
    // In the graph learned tokens come right after the vocabulary, wherever the tokenizer has them.
    const ids = all.map((id) => own.includes(id) ? vocabSize + own.indexOf(id) : id);
    const { runtime } = this.builder;
    const session = await this.#sessions.get(
      `${index} ${clipSkip} ${ids.length}`,
      () => this.#build(encoder, index, clipSkip, ids.length),
    );
    using input = Tensor.from(runtime, "int64", BigInt64Array.from(ids, BigInt), [1, ids.length]);
    using extra = own.length > 0
      ? Tensor.from(runtime, "float32", vectors, [own.length, hiddenSize])
      : undefined;
    const feeds = { input_ids: input, ...(extra && { token_embeddings: extra }) };
    const outputs = await session.run(feeds, signal ? { signal } : {});
    using states = outputs.hidden_states!;
    using pooled = outputs.pooled;
    return {
      hiddenStates: (states.data as Float32Array).slice(),
      tokens: ids.length,
      width: hiddenSize,
      pooled: (pooled?.data as Float32Array | undefined)?.slice(),
      truncated,
    };
  }

  /**
   * SD 1 and 2 look at the last state after the final norm, SDXL at the one before, not normed;
   * clip skip counts from there (diffusers, pipeline_stable_diffusion[_xl].py, encode_prompt).
   */
  #build(encoder: TextEncoderParts, index: number, clipSkip: number, sequence: number) {
    const xl = this.parts.index.family === "sdxl";
    const state = (xl ? -2 : -1) - clipSkip;
    return this.builder.build(
      clipTextModel(encoder.config, encoder.weights, { batch: 1, sequence }, {
        hiddenState: state,
        finalLayerNorm: !xl,
        pooled: xl && index === 1,
        extraTokens: this.learned[index]!.ids.length,
      }),
    );
  }
}

/** Conditioning of nothing at all, which SDXL base was trained with for an absent prompt. */
export function zeroConditioning(like: Conditioning): Conditioning {
  return {
    ...like,
    hiddenStates: new Float32Array(like.hiddenStates.length),
    ...(like.pooled && { pooled: new Float32Array(like.pooled.length) }),
    truncated: "",
  };
}

/** The states of several encoders side by side: [tokens, sum of widths]. */
function join(encoded: readonly Encoded[]): Conditioning {
  const [first] = encoded, pooled = encoded.at(-1)!.pooled;
  const width = encoded.reduce((sum, { width }) => sum + width, 0);
  const hiddenStates = new Float32Array(first!.tokens * width);
  let column = 0;
  for (const { hiddenStates: states, width: own, tokens } of encoded) {
    for (let t = 0; t < tokens; t++) {
      hiddenStates.set(states.subarray(t * own, (t + 1) * own), t * width + column);
    }
    column += own;
  }
  const { tokens, truncated } = first!;
  return { hiddenStates, tokens, width, truncated, ...(pooled && { pooled }) };
}
