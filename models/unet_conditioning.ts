import { silu } from "../graph/ops/activation.ts";
import { add } from "../graph/ops/arithmetic.ts";
import { cast } from "../graph/ops/elementwise.ts";
import { gather } from "../graph/ops/indexing.ts";
import { concat } from "../graph/ops/join.ts";
import { reshape } from "../graph/ops/movement.ts";
import type { Dim } from "../graph/shape.ts";
import type { Value } from "../graph/value.ts";
import type { GraphInputs } from "./graph_inputs.ts";
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
  /** Numbers in `time_ids` of SDXL: 6 (default); 5 for the refiner, which takes a score. */
  readonly timeIds?: number;
}

/** The sample, and what the inputs beside it become. */
export interface ConditionedSample extends Conditioning {
  /** The noisy latents [B, C, h, w], float32. */
  readonly sample: Value;
}

/**
 * Takes the inputs that the U-Net and the ControlNet share, and makes the timestep's embedding of
 * them: `sample` [B, C, h, w], `timestep` [B], `encoder_hidden_states` [B, S, D]; for SDXL also
 * `text_embeds` [B, n] and `time_ids` [B, timeIds]; for the x4 upscaler `class_labels` int64 [B];
 * for distilled LCM models `timestep_cond` [B, m].
 */
export function conditionedSample(
  config: UNetTrunkConfig & { readonly timeCondDim?: number | undefined },
  w: NetworkWeights,
  inputs: GraphInputs,
  { batch, height, width, sequence, timeIds = 6 }: UNetShape,
): ConditionedSample {
  const crossDim = config.downBlocks.at(-1)!.crossAttentionDim;
  const sample = inputs.take("sample", "float32", [batch, config.inChannels, height, width]);
  const timestep = inputs.take("timestep", "float32", [batch]);
  const context = inputs.take("encoder_hidden_states", "float32", [batch, sequence, crossDim]);
  const condition = config.timeCondDim === undefined
    ? undefined
    : inputs.take("timestep_cond", "float32", [batch, config.timeCondDim]);
  const waves = sinusoid(timestep, config.downBlocks[0]!.channels, config);
  let time = embeddingMlp(waves, w.at("time_embedding"), config.timeEmbedDim, condition);

  if (config.classEmbeddings !== undefined) {
    const labels = inputs.take("class_labels", "int64", [batch]);
    const table = w.tensor("class_embedding.weight", [config.classEmbeddings, config.timeEmbedDim]);
    time = add(time, gather(table, labels, 0));
  }
  if (config.textTime !== undefined) {
    time = add(time, textTimeEmbedding(config, config.textTime, w, inputs, [batch, timeIds]));
  }
  return { config, sample, time: silu(time), context: cast(context, w.dtype) };
}

/**
 * SDXL's micro-conditioning (arXiv:2307.01952, 2.2): the pooled prompt beside the embedded original
 * size, crop corner and target size, as one more embedding.
 */
function textTimeEmbedding(
  config: UNetTrunkConfig,
  { timeDim, inputDim }: NonNullable<UNetTrunkConfig["textTime"]>,
  w: NetworkWeights,
  inputs: GraphInputs,
  [batch, ids]: readonly [Dim, number],
): Value {
  const text = inputs.take("text_embeds", "float32", [batch, inputDim - ids * timeDim]);
  const timeIds = inputs.take("time_ids", "float32", [batch, ids]);
  const waves = sinusoid(reshape(timeIds, [-1]), timeDim, config);
  const both = concat([text, reshape(waves, [batch, ids * timeDim])], 1);
  return embeddingMlp(both, w.at("add_embedding"), config.timeEmbedDim);
}
