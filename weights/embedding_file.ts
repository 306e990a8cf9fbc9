import { basename } from "node:path";
import { ModelFormatError } from "./model_format_error.ts";
import type { StoredTensor, TensorSource } from "./stored_tensor.ts";

/** A word's learned vectors for one text encoder: [width] or [count, width]. */
export interface EmbeddingVectors {
  /** The pipeline's encoder that they are for; undefined: whichever has that width. */
  readonly encoder: "text_encoder" | "text_encoder_2" | undefined;
  /** How many tokens the word becomes. */
  readonly count: number;
  /** The hidden size of the encoder. */
  readonly width: number;
  /** The vectors, one after the other. */
  readonly tensor: StoredTensor;
}

/** A textual inversion (Gal et al. 2022, arXiv:2208.01618) as its file has it. */
export interface EmbeddingFile {
  /** The word to write in prompts: the file's own, or the file's name. */
  readonly token: string;
  /** One entry, or SDXL's two. */
  readonly vectors: readonly EmbeddingVectors[];
}

/**
 * Reads an embedding: diffusers' `{token: vectors}`, AUTOMATIC1111's `string_to_param`, kohya's
 * `emb_params`, and `clip_l` with `clip_g` for SDXL's two encoders.
 * Throws ModelFormatError when the file holds something else.
 */
export function readEmbeddingFile(source: TensorSource): EmbeddingFile {
  const names = [...source.names()];
  const fileName = basename(source.path).replace(/\.[^.]+$/, "");
  const vectorsOf = (name: string, encoder?: EmbeddingVectors["encoder"]) =>
    vectors(source, name, encoder);
  if (names.includes("clip_l") || names.includes("clip_g")) {
    const both = [["clip_l", "text_encoder"], ["clip_g", "text_encoder_2"]] as const;
    const present = both.filter(([name]) => names.includes(name));
    return {
      // No tensor is named as the word is, so that what trains here writes it beside them.
      token: source.metadata["token"] ?? fileName,
      vectors: present.map(([name, encoder]) => vectorsOf(name, encoder)),
    };
  }
  const [only] = names;
  if (only === undefined || names.length > 1) {
    throw new ModelFormatError(
      `Cannot read ${source.path} as an embedding: it has ${names.length} tensors, expected one` +
        `; got ${names.slice(0, 3).join(", ") || "none"}.`,
      { path: source.path },
    );
  }
  const trained = only.startsWith("string_to_param.") ? source.metadata["name"] : undefined;
  const anonymous = only === "emb_params" || only.startsWith("string_to_param.");
  return { token: trained ?? (anonymous ? fileName : only), vectors: [vectorsOf(only)] };
}

function vectors(
  source: TensorSource,
  name: string,
  encoder: EmbeddingVectors["encoder"],
): EmbeddingVectors {
  const tensor = source.get(name)!;
  const { shape } = tensor;
  const [width = 0, count = 1] = shape.toReversed();
  if (shape.length < 1 || shape.length > 2 || width === 0 || count === 0) {
    throw new ModelFormatError(
      `Cannot read embedding ${name} of ${source.path}: its shape is [${shape}], ` +
        "expected [width] or [count, width].",
      { path: source.path, key: name },
    );
  }
  return { encoder, count, width, tensor };
}
