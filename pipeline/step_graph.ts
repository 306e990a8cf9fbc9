/**
 * A whole sampling step as one graph: the network's input out of the state, the U-Net, guidance,
 * and the next state. Which step it is comes from a counter that the graph itself moves on, and
 * everything that differs from step to step lies in tables: nothing has to come from outside between
 * two steps, so that a device need not wait for the processor, and may record the whole.
 *
 * @module
 */

import { add, mul, sub } from "../graph/ops/arithmetic.ts";
import { gather } from "../graph/ops/indexing.ts";
import { concat, split } from "../graph/ops/join.ts";
import { expand, reshape, unsqueeze } from "../graph/ops/movement.ts";
import { reduceSum } from "../graph/ops/reduce.ts";
import type { DType } from "../graph/dtype.ts";
import { input, type Value } from "../graph/value.ts";
import type { GraphModel, ModelOptions } from "../models/graph_model.ts";
import { unet } from "../models/unet.ts";
import type { UNetConfig } from "../models/unet_config.ts";
import type { TensorSource } from "../weights/stored_tensor.ts";

/** Sizes of a step graph. */
export interface StepShape {
  /** Pictures drawn at once. */
  readonly pictures: number;
  /** Channels of the latents. */
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** What the U-Net is asked for each picture: 2 with guidance (against comes first), else 1. */
  readonly asks: 1 | 2;
  /** Tokens of a prompt. */
  readonly sequence: number;
  /** Arrays of the plan's state. */
  readonly state: number;
  /** Rows of the tables: the most calls that a run may have. */
  readonly calls: number;
  /** Draws that a run may have; 0 leaves noise out. */
  readonly draws: number;
  /** Sets of prompts: more than 1 where they change on the way. */
  readonly prompts: number;
}

/** Names of the graph's inputs that only a step graph has. */
export const STEP_INPUTS = {
  /** [state, pictures, channels, height, width]. */
  state: "state",
  /** int64 [1]: which call comes next. */
  index: "index",
  /** [calls, columns]: `LinearPlan.inputs`, without noise where there are no draws. */
  inputs: "input_weights",
  /** [calls, state + 1, columns]: `LinearPlan.updates`, likewise. */
  updates: "update_weights",
  /** [calls]. */
  timesteps: "timesteps",
  /** [calls]: the guidance scale. */
  scales: "guidance_scales",
  /** [draws, pictures, channels, height, width]. */
  noise: "noise",
  /** int64 [calls, 2]: which draw is added before the call, and which after. */
  noiseIndex: "noise_index",
  /** int64 [calls]: which prompts hold. */
  promptIndex: "prompt_index",
} as const;

/** Inputs of the U-Net that may change with the prompt. */
const PROMPT_INPUTS = ["encoder_hidden_states", "text_embeds"] as const;

/**
 * The step of `config`'s U-Net. Outputs: `next_state` as `state`, `next_index`, and `clean`
 * [pictures, channels, height, width], the estimate of the clean latents. Prompts that change have
 * one more dimension in front: [prompts, asks * pictures, ...].
 */
export function stepGraph(
  config: UNetConfig,
  weights: TensorSource,
  shape: StepShape,
  options: Pick<ModelOptions, "dtype"> = {},
): GraphModel {
  const { pictures, channels, height, width, asks, sequence, calls } = shape;
  const batch = asks * pictures, latents = [pictures, channels, height, width];
  const inputs: Value[] = [];
  const take = (name: string, dtype: DType, dims: readonly number[]) => {
    const value = input(name, dtype, dims);
    inputs.push(value);
    return value;
  };
  const state = take(STEP_INPUTS.state, "float32", [shape.state, ...latents]);
  const index = take(STEP_INPUTS.index, "int64", [1]);
  /** The row of a table for this call. */
  const row = (name: string, dtype: DType, dims: readonly number[]) =>
    reshape(gather(take(name, dtype, [calls, ...dims]), index, 0), dims.length ? dims : [1]);

  const [before, after] = noiseOf(shape, take, row);
  const known = before ? [state, before] : [state];
  const seenRows = shape.state + known.length - 1;
  const seen = weightedSums(
    reshape(row(STEP_INPUTS.inputs, "float32", [seenRows]), [1, seenRows]),
    concat(known, 0),
  );
  const single = reshape(seen, latents);
  const sample = concat(Array.from({ length: asks }, () => single), 0);
  const timestep = expand(row(STEP_INPUTS.timesteps, "float32", []), [batch]);
  const model = unet(config, weights, { batch, height, width, sequence }, {
    ...options,
    values: { sample, timestep, ...changingPrompts(config, shape, take, row) },
  });

  const answers = split(model.outputs.noise_prediction!, asks, 0);
  const scale = asks === 2 ? row(STEP_INPUTS.scales, "float32", []) : undefined;
  const [against, conditional = against] = answers;
  const output = scale ? add(against!, mul(scale, sub(conditional!, against!))) : against!;
  const columns = concat([...known, unsqueeze(output, 0), ...(after ? [after] : [])], 0);
  const count = seenRows + 1 + (after ? 1 : 0);
  const rows = row(STEP_INPUTS.updates, "float32", [shape.state + 1, count]);
  const [next, clean] = split(weightedSums(rows, columns), [shape.state, 1], 0);
  return {
    name: "step",
    inputs: [...inputs, ...model.inputs],
    outputs: {
      next_state: next!,
      next_index: add(index, 1),
      clean: reshape(clean!, latents),
    },
    parameters: model.parameters,
    unexpected: model.unexpected,
  };
}

type Take = (name: string, dtype: DType, dims: readonly number[]) => Value;

/** The draws before and after this call, [1, pictures, channels, height, width] each. */
function noiseOf(
  { pictures, channels, height, width, draws }: StepShape,
  take: Take,
  row: Take,
): readonly Value[] {
  if (draws === 0) return [];
  const noise = take(STEP_INPUTS.noise, "float32", [draws, pictures, channels, height, width]);
  return split(gather(noise, row(STEP_INPUTS.noiseIndex, "int64", [2]), 0), 2, 0);
}

function changingPrompts(
  config: UNetConfig,
  { pictures, asks, sequence, prompts }: StepShape,
  take: Take,
  row: Take,
): Record<string, Value> {
  if (prompts === 1) return {};
  const which = row(STEP_INPUTS.promptIndex, "int64", []), batch = asks * pictures;
  const { textTime } = config;
  const sizes = {
    encoder_hidden_states: [batch, sequence, config.downBlocks.at(-1)!.crossAttentionDim],
    text_embeds: textTime && [batch, textTime.inputDim - 6 * textTime.timeDim],
  };
  return Object.fromEntries(PROMPT_INPUTS.flatMap((name) => {
    const dims = sizes[name];
    if (!dims) return [];
    const all = take(name, "float32", [prompts, ...dims]);
    return [[name, reshape(gather(all, which, 0), dims)]];
  }));
}

/**
 * Sums of `columns` [c, ...] with the weights of each row of `rows` [r, c]: [r, ...]. Not a matrix
 * product: GPUs would compute that with 10-bit mantissas.
 */
function weightedSums(rows: Value, columns: Value): Value {
  const [r, c] = rows.shape as [number, number];
  const ones = columns.shape.slice(1).map(() => 1);
  const products = mul(reshape(rows, [r, c, ...ones]), unsqueeze(columns, 0));
  return reduceSum(products, { axes: [1], keepDims: false });
}
