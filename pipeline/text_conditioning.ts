/**
 * From a prompt to what the U-Net's cross-attention looks at.
 *
 * @module
 */

import { Tensor } from "../ffi/tensor.ts";
import { clipTextModel } from "../models/clip_text.ts";
import type { LearnedTokens } from "./embeddings.ts";
import { joined } from "./joined.ts";
import {
  loraTensors,
  type NetworkLoras,
  type RunTimeLoras,
  withLoraInputs,
} from "./lora_run_time.ts";
import type { ModelParts } from "./model_parts.ts";
import type { WeightedText } from "./prompt_grammar.ts";
import { type LongPrompt, type PromptWindow, promptWindows } from "./prompt_windows.ts";
import type { NetworkSession } from "./network_session.ts";
import { OnnxNetwork, textNames } from "./onnx_network.ts";
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
interface Encoded extends Omit<Conditioning, "pooled" | "truncated"> {
  readonly pooled: Float32Array | undefined;
}

/** A prompt in the form in which it is encoded. */
export interface EncodablePrompt {
  /** Sections, which begin windows of their own, of texts with their weights. */
  readonly sections: readonly (readonly WeightedText[])[];
  readonly longPrompt: LongPrompt;
  /** Layers of the text encoders to leave out, counted from the last one. */
  readonly clipSkip: number;
  /** LoRAs that are inputs of the text encoders. */
  readonly loras?: RunTimeLoras | undefined;
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

  /** Encodes a prompt: the states of its windows, one after the other. */
  async encode(prompt: EncodablePrompt, signal?: AbortSignal): Promise<Conditioning> {
    const { sections, longPrompt, clipSkip, loras } = prompt;
    const styled = loras?.textEncoders.some((encoder) => encoder) ? loras.key : "";
    const key = JSON.stringify([sections, longPrompt, clipSkip, styled]);
    let conditioning = this.#remembered.get(key);
    this.#remembered.delete(key);
    conditioning ??= await this.#encode(prompt, signal);
    this.#remembered.set(key, conditioning);
    if (this.#remembered.size > REMEMBERED) {
      this.#remembered.delete(this.#remembered.keys().next().value!);
    }
    return conditioning;
  }

  /**
   * The windows of a prompt as the text encoder `index` reads them, and the end of its text that
   * is left out.
   */
  windows(
    { sections, longPrompt }: EncodablePrompt,
    index = 0,
  ): { windows: readonly PromptWindow[]; truncated: string } {
    const { tokenizer } = this.parts.textEncoders[index]!, { ids } = this.learned[index]!;
    const { windows, truncated } = promptWindows(sections, {
      length: tokenizer.maxLength - 2,
      encode: (text) => tokenizer.encodeText(text),
      longPrompt,
      belongTogether: (id, next) => ids.includes(id) && next === id + 1,
    });
    return { windows, truncated: tokenizer.decode(truncated) };
  }

  /** Releases the sessions. */
  [Symbol.dispose](): void {
    this.#sessions[Symbol.dispose]();
    this.#remembered.clear();
  }

  async #encode(prompt: EncodablePrompt, signal: AbortSignal | undefined): Promise<Conditioning> {
    const read = this.parts.textEncoders.map((_, i) => this.windows(prompt, i));
    // A learned word may be longer in one encoder than in the other: both get as many windows.
    const count = Math.max(...read.map(({ windows }) => windows.length));
    const encoded = await Promise.all(read.map(async ({ windows }, i) => {
      const states = [];
      for (let k = 0; k < count; k++) {
        states.push(await this.#encodeWindow(i, windows[k] ?? EMPTY, prompt, signal));
      }
      return inSequence(states);
    }));
    return { ...join(encoded), truncated: read[0]!.truncated };
  }

  async #encodeWindow(
    index: number,
    { ids: text, weights }: PromptWindow,
    { clipSkip, loras: fed }: EncodablePrompt,
    signal: AbortSignal | undefined,
  ): Promise<Encoded> {
    const encoder = this.parts.textEncoders[index]!;
    const { ids: own, vectors } = this.learned[index]!, { vocabSize, hiddenSize } = encoder.config;
    // In the graph learned tokens come right after the vocabulary, wherever the tokenizer has them.
    const ids = encoder.tokenizer.frame(text)
      .map((id) => own.includes(id) ? vocabSize + own.indexOf(id) : id);
    const { runtime } = this.builder, loras = fed?.textEncoders[index];
    const session = await this.#sessions.get(
      `${index} ${clipSkip} ${ids.length} ${loras?.key}`,
      () => this.#build(index, clipSkip, ids.length, loras),
    );
    using input = Tensor.from(runtime, "int64", BigInt64Array.from(ids, BigInt), [1, ids.length]);
    using extra = own.length > 0
      ? Tensor.from(runtime, "float32", vectors, [own.length, hiddenSize])
      : undefined;
    using matrices = loraTensors(runtime, loras, session);
    const feeds = {
      input_ids: input,
      ...(extra && { token_embeddings: extra }),
      ...matrices.tensors,
    };
    const outputs = await session.run(feeds, signal ? { signal } : {});
    using states = outputs.hidden_states!;
    // Old ONNX folders do not say how wide they are; their file does.
    const width = (states.data as Float32Array).length / ids.length;
    using pooled = outputs.pooled;
    return {
      hiddenStates: weigh((states.data as Float32Array).slice(), weights, width),
      tokens: ids.length,
      width,
      pooled: (pooled?.data as Float32Array | undefined)?.slice(),
    };
  }

  /**
   * SD 1 and 2 look at the last state after the final norm, SDXL at the one before, not normed;
   * clip skip counts from there (diffusers, pipeline_stable_diffusion[_xl].py, encode_prompt).
   */
  #build(
    index: number,
    clipSkip: number,
    sequence: number,
    loras: NetworkLoras | undefined,
  ): Promise<NetworkSession> {
    const { config, weights, onnx } = this.parts.textEncoders[index]!;
    const xl = this.parts.index.family === "sdxl";
    const state = (xl ? -2 : -1) - clipSkip;
    if (onnx) {
      const layer = xl ? config.layers + 1 + state : undefined;
      return OnnxNetwork.load(this.builder, onnx.model!, textNames(layer));
    }
    return this.builder.build(
      withLoraInputs(loras, (options) =>
        clipTextModel(config, weights, { batch: 1, sequence }, {
          ...options,
          hiddenState: state,
          finalLayerNorm: !xl,
          pooled: xl && index === this.parts.textEncoders.length - 1,
          extraTokens: this.learned[index]!.ids.length,
        })),
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

const EMPTY: PromptWindow = { ids: [], weights: [] };

/**
 * Emphasis as in A1111: each token's state times its weight (start, end and padding: 1), then all
 * times one number that gives the window its former mean. In place.
 */
function weigh(states: Float32Array, weights: readonly number[], width: number): Float32Array {
  if (weights.every((weight) => weight === 1)) return states;
  const before = sum(states);
  weights.forEach((weight, i) => {
    const row = states.subarray((i + 1) * width, (i + 2) * width);
    for (let j = 0; j < width; j++) row[j]! *= weight;
  });
  const restore = before / sum(states);
  return states.map((value) => value * restore);
}

const sum = (values: Float32Array) => values.reduce((total, value) => total + value, 0);

/** The states of several windows one after the other; the first one's pooled state, as A1111. */
function inSequence(windows: readonly Encoded[]): Encoded {
  const [first] = windows;
  if (windows.length === 1) return first!;
  const hiddenStates = joined(windows.map(({ hiddenStates }) => hiddenStates));
  return { ...first!, hiddenStates, tokens: windows.length * first!.tokens };
}

/** The states of several encoders side by side: [tokens, sum of widths]. */
function join(encoded: readonly Encoded[]): Omit<Conditioning, "truncated"> {
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
  const { tokens } = first!;
  return { hiddenStates, tokens, width, ...(pooled && { pooled }) };
}
