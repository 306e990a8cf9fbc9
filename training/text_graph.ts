/** The text encoders as part of a training graph: from token ids to what the U-Net looks at. */
import { concat } from "../graph/ops/join.ts";
import { scope } from "../graph/scope.ts";
import { constant, input, type Value } from "../graph/value.ts";
import { clipTextModel, type ClipTextOptions } from "../models/clip_text.ts";
import type { ModelParts, TextEncoderParts } from "../pipeline/model_parts.ts";

/** What the U-Net is told of the prompts. */
export interface TextValues {
  /** [B, S, D]. */
  readonly hidden: Value;
  /** SDXL: [B, P]. */
  readonly pooled?: Value;
  /** By encoder, the weights that its graph made inputs of. */
  readonly parameters?: readonly (readonly Value[])[];
}

/** The encoders' names in files of adapters and embeddings. */
export const ENCODER_NAMES = ["text_encoder", "text_encoder_2"] as const;

/** Name of the graph input that takes the token ids of encoder `index`, int64 [B, S]. */
export const idsName = (index: number): string => `${ENCODER_NAMES[index]}/input_ids`;

/** Sizes of a training graph. */
export interface TrainingShape {
  /** Pictures in a batch. */
  readonly batch: number;
  /** Height of the latents. */
  readonly height: number;
  /** Width of the latents. */
  readonly width: number;
}

/** What changes of encoder `index`: its options for the graph. */
export type EncoderOptions = (index: number, encoder: TextEncoderParts) => ClipTextOptions;

/**
 * Text encoders as they condition this family (SD 1 and 2: the last state; SDXL: the one before,
 * of two encoders side by side, and the pooled state of the second).
 */
export function encodedText(
  parts: ModelParts,
  { batch }: TrainingShape,
  options: EncoderOptions,
): TextValues {
  const isXl = parts.index.family === "sdxl";
  const encoded = parts.textEncoders.map((encoder, index) => {
    const sequence = encoder.tokenizer.maxLength;
    const ids = input(idsName(index), "int64", [batch, sequence]);
    const own = options(index, encoder);
    const build = () =>
      clipTextModel(encoder.config, encoder.weights, { batch, sequence }, {
        ...own,
        values: { ...own.values, input_ids: ids },
        hiddenState: isXl ? -2 : -1,
        finalLayerNorm: !isXl,
        pooled: isXl && index === 1,
      });
    return scope(ENCODER_NAMES[index]!, build);
  });
  const states = encoded.map(({ outputs }) => outputs.hidden_states!);
  const hidden = states.length === 1 ? states[0]! : concat(states, 2);
  const { pooled } = encoded.at(-1)!.outputs;
  const parameters = encoded.map(({ parameters }) => parameters);
  return { hidden, parameters, ...(pooled && { pooled }) };
}

/** Inputs for prompts that were encoded before: the encoders are then no part of the graph. */
export function givenText(parts: ModelParts, { batch }: TrainingShape): TextValues {
  const { config } = parts.unet, sequence = parts.textEncoders[0]!.tokenizer.maxLength;
  const width = config.downBlocks.at(-1)!.crossAttentionDim;
  const hidden = input("hidden_states", "float32", [batch, sequence, width]);
  if (config.textTime === undefined) return { hidden };
  const { inputDim, timeDim } = config.textTime;
  return { hidden, pooled: input("pooled", "float32", [batch, inputDim - 6 * timeDim]) };
}

/** Sizes of the pictures that are trained on, in pixels. */
export function pixelsOf(
  { vae: { config: { factor } } }: ModelParts,
  { width, height }: TrainingShape,
): { readonly width: number; readonly height: number } {
  return { width: width * factor, height: height * factor };
}

/** SDXL's sizes of the picture: original, corner, target; the same for all, so a constant. */
export function timeIds(parts: ModelParts, shape: TrainingShape): Value {
  const { batch } = shape, { width, height } = pixelsOf(parts, shape);
  const rows = Array.from({ length: batch }, () => [height, width, 0, 0, height, width]).flat();
  return constant(Float32Array.from(rows), [batch, 6]);
}
