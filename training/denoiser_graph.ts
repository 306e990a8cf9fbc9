import { scope } from "../graph/scope.ts";
import { input, type Value } from "../graph/value.ts";
import { unet, type UNetOptions } from "../models/unet.ts";
import type { ModelParts } from "../pipeline/model_parts.ts";
import { schedulerFromConfig } from "../schedulers/scheduler.ts";
import { type NoiseTable, noiseTable } from "../schedulers/noise_table.ts";
import type { Prediction } from "../schedulers/plan.ts";
import { mixed, noiseLoss, type NoisyBatch, noisyBatch } from "./noise_loss.ts";
import { type TextValues, timeIds, type TrainingShape } from "./text_graph.ts";
import { TrainingError } from "./training_error.ts";

/** How a model's noise was made when it was trained. */
export interface NoiseSettings {
  /** By timestep. */
  readonly table: NoiseTable;
  /** What the U-Net says. */
  readonly prediction: Prediction;
}

/** Reads a model's noise from its scheduler's file. */
export function noiseSettings(parts: ModelParts): NoiseSettings {
  const { settings } = schedulerFromConfig(parts.schedulerConfig);
  return { table: noiseTable(settings, false), prediction: settings.predictionType };
}

/** The batch and the loss of the U-Net on it. */
export interface DenoiserGraph {
  /** The inputs of the batch. */
  readonly batch: NoisyBatch;
  /** Scalar. */
  readonly loss: Value;
  /** What the graph of the U-Net made inputs of. */
  readonly parameters: readonly Value[];
}

/**
 * The loss of predicting the noise in a batch.
 *
 * @throws {TrainingError} for a U-Net that takes more than latents: inpainting and the like.
 */
export function denoiserGraph(
  parts: ModelParts,
  shape: TrainingShape,
  text: TextValues,
  options: UNetOptions = {},
): DenoiserGraph {
  const { config, weights } = parts.unet, { latentChannels } = parts.vae.config;
  if (config.inChannels !== latentChannels) {
    throw new TrainingError(
      "model",
      `Cannot train ${parts.path}: its U-Net takes ${config.inChannels} channels, expected the ` +
        `${latentChannels} of the latents. Choose a model that is not for inpainting or editing.`,
    );
  }
  const { batch: count, height, width } = shape;
  const batch = noisyBatch([count, latentChannels, height, width]);
  const values = {
    sample: mixed(batch),
    timestep: input("timestep", "float32", [count]),
    encoder_hidden_states: text.hidden,
    ...(text.pooled && { text_embeds: text.pooled, time_ids: timeIds(parts, shape) }),
  };
  const sizes = { ...shape, sequence: text.hidden.shape[1] as number };
  const model = scope("unet", () => unet(config, weights, sizes, { ...options, values }));
  const { prediction } = noiseSettings(parts);
  return {
    batch,
    loss: noiseLoss(model.outputs.noise_prediction!, batch, prediction),
    parameters: model.parameters,
  };
}
