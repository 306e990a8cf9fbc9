/**
 * Textual inversions: files with vectors that become new words of the prompt.
 *
 * @module
 */

import { readEmbeddingFile } from "../weights/embedding_file.ts";
import { ModelFormatError } from "../weights/model_format_error.ts";
import { openWeights } from "../weights/open_weights.ts";
import { toFloat32 } from "../weights/read.ts";
import { joined } from "./joined.ts";
import type { TextEncoderParts } from "./model_parts.ts";

/** Learned vectors of one text encoder, one after the other, with the ids that stand for them. */
export interface LearnedTokens {
  /** Ids that the tokenizer gives; the graph's own begin at the vocabulary's size. */
  readonly ids: readonly number[];
  /** Float32Array [ids, hidden size]. */
  readonly vectors: Float32Array;
}

/**
 * Adds the word of each file to the tokenizers.
 *
 * @returns the learned tokens, one entry a text encoder.
 * @throws {ModelFormatError} for a file whose vectors fit no text encoder of the model.
 */
export async function addEmbeddings(
  encoders: readonly TextEncoderParts[],
  paths: readonly string[],
): Promise<LearnedTokens[]> {
  const ids: number[][] = encoders.map(() => []),
    vectors: Float32Array[][] = encoders.map(() => []);
  for (const path of paths) {
    const file = readEmbeddingFile(await openWeights(path));
    let fits = false;
    for (const [i, { config, tokenizer, name }] of encoders.entries()) {
      const own = file.vectors.find(({ encoder, width }) =>
        width === config.hiddenSize && (encoder ?? name) === name
      );
      if (!own) continue;
      fits = true;
      ids[i]!.push(...tokenizer.addToken(file.token, own.count));
      vectors[i]!.push(await toFloat32(own.tensor));
    }
    if (!fits) throw misfit(path, file.vectors.map(({ width }) => width), encoders);
  }
  return encoders.map((_, i) => ({ ids: ids[i]!, vectors: joined(vectors[i]!) }));
}

function misfit(
  path: string,
  widths: readonly number[],
  encoders: readonly TextEncoderParts[],
): ModelFormatError {
  return new ModelFormatError(
    `Cannot use embedding ${path} with this model: its vectors are ${widths.join(" and ")} wide, ` +
      `expected ${encoders.map(({ config }) => config.hiddenSize).join(" or ")}. ` +
      "It was trained for another family.",
    { path },
  );
}
