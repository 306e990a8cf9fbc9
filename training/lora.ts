import { mergeOne } from "../pipeline/lora.ts";
import { tensorSource } from "../weights/stored_tensor.ts";
import { type ConceptOptions, trainConcept } from "./concept.ts";
import { type LORA_TARGETS, LoraAdapters } from "./lora_adapters.ts";
import { type LORA_NAMES, type LoraFile, loraTensors, saveLora } from "./lora_save.ts";
import { TrainingError } from "./training_error.ts";
import type { TrainingEvent } from "./training_run.ts";

/** How a LoRA is trained. */
export interface LoraOptions extends ConceptOptions {
  /** Rows of the first matrix of each layer. Default 4. */
  readonly rank?: number | undefined;
  /** The change is multiplied by alpha / rank. Default: the rank. */
  readonly alpha?: number | undefined;
  /** Layers that change. Default: those of the attention. */
  readonly targets?: (typeof LORA_TARGETS)[number] | undefined;
  /** Spelling of the file. Default: kohya's. */
  readonly names?: (typeof LORA_NAMES)[number] | undefined;
}

/**
 * Trains a LoRA on the pictures and writes it as kohya's or PEFT's file.
 *
 * @throws {TrainingError} for options and pictures that cannot be learned from.
 * @throws {DivergedError} when the loss is no number any more.
 */
export async function* trainLora(
  options: LoraOptions,
): AsyncGenerator<TrainingEvent, void, void> {
  const { rank = 4, alpha = rank, targets = "attention", names = "kohya" } = options;
  if (!Number.isSafeInteger(rank) || rank < 1) {
    throw new TrainingError("rank", `Cannot train a LoRA of rank ${rank}: expected 1 or more.`);
  }
  yield* trainConcept("lora", options, (parts, { seed, output }) => {
    const shape = { rank, alpha, targets, seed };
    const adapters = new LoraAdapters(shape);
    const fileOf = (values: LoraFile["values"]) => ({
      names,
      shape,
      pairs: adapters.pairs,
      values,
    });
    return {
      options: (network) => ({ adapt: adapters.adapt(network) }),
      begin: () =>
        Promise.resolve({ parameters: adapters.parameters, initial: adapters.initial() }),
      changed: async (values) => {
        // What the file will hold is merged: what is drawn is what others will draw with it.
        const { tensors, metadata } = loraTensors(fileOf(values));
        return await mergeOne(parts, tensorSource(output, tensors, metadata), 1);
      },
      save: async (values) => {
        await saveLora(output, fileOf(values));
        return output;
      },
      identity: { rank, alpha, targets },
      rate: 1e-4,
    };
  });
}
