/** A word that the text encoders do not know yet: its ids, its first vectors, and prompts with it. */
import { requireTensor } from "../models/spellings.ts";
import type { TextEncoderParts } from "../pipeline/model_parts.ts";
import { toFloat32 } from "../weights/read.ts";
import { TrainingError } from "./training_error.ts";

/** Prompts for pictures without a caption; `{}` stands for the word (Gal et al. 2022, appendix E). */
export const TEMPLATES: readonly string[] = [
  "a photo of a {}",
  "a picture of a {}",
  "a close-up photo of a {}",
  "a bright photo of the {}",
  "a rendition of a {}",
  "a depiction of a {}",
  "one {}",
  "the {}",
];

/** The word in one text encoder. */
export interface NewWord {
  /** Ids that its tokenizer gives. */
  readonly ids: readonly number[];
  /** The vectors that it begins with, [ids, hidden size]. */
  readonly vectors: Float32Array;
  /** Standard deviation of the encoder's token embeddings: the scale of what is learned. */
  readonly deviation: number;
}

/**
 * Adds `token` to the tokenizer of an encoder, as `count` vectors that begin as those of
 * `initWord`.
 *
 * @throws {TrainingError} for a token that is there already, or a word of more tokens than `count`.
 */
export async function addWord(
  encoder: TextEncoderParts,
  { token, initWord, count }: { token: string; initWord: string; count: number },
): Promise<NewWord> {
  const { config, tokenizer } = encoder, begin = tokenizer.encodeText(initWord);
  if (begin.length === 0 || begin.length > count) {
    throw new TrainingError(
      "initWord",
      `Cannot begin as "${initWord}": this model reads it as ${begin.length} tokens; got ` +
        `${tokenizer.tokens(begin).join(" ") || "none"}, expected 1${
          count > 1 ? ` to ${count}` : ""
        }. ` +
        `Choose another word${begin.length > 1 ? `, or ${begin.length} vectors` : ""}.`,
    );
  }
  // A name that the tokenizer reads as one token is a word that it knows.
  const known = tokenizer.encodeText(token);
  const ids = known.length === 1 ? undefined : newIds(tokenizer, token, count);
  if (ids === undefined) {
    throw new TrainingError(
      "token",
      `Cannot learn "${token}": it is a word of this model's vocabulary already. Choose a name ` +
        `that no text has, such as "<${token.replaceAll(/[<>]/g, "")}-1>".`,
    );
  }
  const table = await embeddingTable(encoder), { hiddenSize } = config;
  const vectors = new Float32Array(count * hiddenSize);
  for (let i = 0; i < count; i++) {
    const id = begin[Math.min(i, begin.length - 1)]!;
    vectors.set(table.subarray(id * hiddenSize, (id + 1) * hiddenSize), i * hiddenSize);
  }
  return { ids, vectors, deviation: deviationOf(table) };
}

function newIds(
  tokenizer: TextEncoderParts["tokenizer"],
  token: string,
  count: number,
): number[] | undefined {
  try {
    return tokenizer.addToken(token, count);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** The vectors of all tokens, Float32Array [vocabulary, hidden size]. */
export async function embeddingTable({ weights }: TextEncoderParts): Promise<Float32Array> {
  return await toFloat32(requireTensor(weights, "text_model.embeddings.token_embedding.weight"));
}

function deviationOf(values: Float32Array): number {
  let sum = 0, squares = 0;
  for (const value of values) {
    sum += value;
    squares += value * value;
  }
  const mean = sum / values.length;
  return Math.sqrt(squares / values.length - mean * mean);
}

/**
 * The prompts of a picture: its caption with the word in it (in place of `{}`, or after the
 * leading article, unless it is there), or the templates.
 */
export function promptsWith(
  token: string,
  caption: string | undefined,
  templates: readonly string[],
): string[] {
  if (caption === undefined) return templates.map((text) => text.replaceAll("{}", token));
  if (caption.includes("{}")) return [caption.replaceAll("{}", token)];
  if (caption.includes(token)) return [caption];
  const [, article, rest] = /^((?:an?|the)\s+)?(.*)$/is.exec(caption)!;
  return [`${article === undefined ? "" : /^an/i.test(article) ? "a " : article}${token} ${rest}`];
}
