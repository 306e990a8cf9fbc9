import { silu } from "../graph/ops/activation.ts";
import { add } from "../graph/ops/arithmetic.ts";
import { cast } from "../graph/ops/elementwise.ts";
import { gather } from "../graph/ops/indexing.ts";
import { concat } from "../graph/ops/join.ts";
import { reshape } from "../graph/ops/movement.ts";
import type { Dim } from "../graph/shape.ts";
import { input, type Value } from "../graph/value.ts";
import type { NetworkWeights } from "./network_weights.ts";
import { embeddingMlp, sinusoid } from "./timestep_embedding.ts";
import type { Conditioning } from "./unet_blocks.ts";
import type { UNetTrunkConfig } from "./unet_config.ts";

/** Sizes of one U-Net graph. */
export interface UNetShape {
  /** Pictures at once, conditional and unconditional ones counted; a name makes it variable. */
  readonly batch: Dim;
  /** Height of the latents: the picture's divided by the autoencoder's factor. */
  readonly height: number;
  /** Width of the latents. */
  readonly width: number;
  /** Tokens of the prompt: 77, or a multiple for chunked prompts. */
  readonly sequence: number;
}

/** The graph inputs that the U-Net and the ControlNet share, and what is made of them. */
export interface ConditionedInputs extends Conditioning {
  readonly sample: Value;
  readonly inputs: readonly Value[];
}

/**
 * Makes the inputs `sample` [B, C, h, w], `timestep` [B] and `encoder_hidden_states` [B, S, D]; for
 * SDXL `text_embeds` [B, n] and `time_ids` [B, 6]; for the x4 upscaler `class_labels` int64 [B];
 * for distilled LCM models `timestep_cond` [B, m]; and from them the embedding of the timestep.
 */
export function conditionedInputs(
  config: UNetTrunkConfig & { readonly timeCondDim?: number | undefined },
  w: NetworkWeights,
  { batch, height, width, sequence }: UNetShape,
): ConditionedInputs {
  const crossDim = config.downBlocks.at(-1)!.crossAttentionDim;
  const sample = input("sample", "float32", [batch, config.inChannels, height, width]);
  const timestep = input("timestep", "float32", [batch]);
  const context = input("encoder_hidden_states", "float32", [batch, sequence, crossDim]);
  const inputs = [sample, timestep, context];

  const condition = config.timeCondDim === undefined
    ? undefined
    : input("timestep_cond", "float32", [batch, config.timeCondDim]);
  if (condition !== undefined) inputs.push(condition);
  const waves = sinusoid(timestep, config.downBlocks[0]!.channels, config);
  let time = embeddingMlp(waves, w.at("time_embedding"), config.timeEmbedDim, condition);

  if (config.classEmbeddings !== undefined) {
    const labels = input("class_labels", "int64", [batch]);
    inputs.push(labels);
    const table = w.tensor("class_embedding.weight", [config.classEmbeddings, config.timeEmbedDim]);
    time = add(time, gather(table, labels, 0));
  }
  if (config.textTime !== undefined) {
    const { embedding, given } = textTimeEmbedding(config, config.textTime, w, batch);
    inputs.push(...given);
    time = add(time, embedding);
  }
  return { config, sample, inputs, time: silu(time), context: cast(context, w.dtype) };
}

/**
 * SDXL's micro-conditioning (arXiv:2307.01952, 2.2): the pooled prompt beside the embedded original
 * size, crop corner and target size, as one more embedding.
 */
function textTimeEmbedding(
  config: UNetTrunkConfig,
  { timeDim, inputDim }: NonNullable<UNetTrunkConfig["textTime"]>,
  w: NetworkWeights,
  batch: Dim,
): { embedding: Value; given: Value[] } {
  const ids = 6;
  const text = input("text_embeds", "float32", [batch, inputDim - ids * timeDim]);
  const timeIds = input("time_ids", "float32", [batch, ids]);
  const waves = sinusoid(reshape(timeIds, [-1]), timeDim, config);
  const both = concat([text, reshape(waves, [batch, ids * timeDim])], 1);
  const embedding = embeddingMlp(both, w.at("add_embedding"), config.timeEmbedDim);
  return { embedding, given: [text, timeIds] };
}
