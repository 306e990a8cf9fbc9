/** What the CLIP pair is trained by: text and picture in one graph with its losses. */
import { add, mul } from "../../graph/ops/arithmetic.ts";
import { neg } from "../../graph/ops/elementwise.ts";
import { slice } from "../../graph/ops/join.ts";
import { linear, matMul } from "../../graph/ops/linalg.ts";
import { squeeze } from "../../graph/ops/movement.ts";
import { logSoftmax, reduceSum } from "../../graph/ops/reduce.ts";
import { scope } from "../../graph/scope.ts";
import { constant, input, type Value } from "../../graph/value.ts";
import type { ClipTextConfig, ClipVisionConfig } from "../../models/clip_config.ts";
import { clipTextModel } from "../../models/clip_text.ts";
import { clipVisionModel } from "../../models/clip_vision.ts";
import type { Network } from "../../pipeline/model_parts.ts";
import { TorchCpuGenerator } from "../../schedulers/random/torch_cpu.ts";
import { contrastiveLoss, crossEntropy } from "../losses.ts";
import { ANSWER_COUNT, ANSWERS, KEYS } from "./contrast_batches.ts";
import type { Saying } from "./captions.ts";

/** What is trained, and by what. */
export interface ContrastGraph {
  readonly loss: Value;
  readonly parameters: readonly Value[];
}

/**
 * The sum of: CLIP's symmetric contrastive loss with captions that are true of other pictures left
 * out, how badly the text's states spell what the caption says, and how badly a linear layer reads
 * the digit off the picture's embedding.
 *
 * Fed: `pixel_values` [B, 3, 64, 64], `input_ids` [B, S], `also_true` [B, B], `digits` [B],
 * `answers` [B, 41], `places` [B, S, 6]. With `textLocked` the text half is as it is.
 */
export function contrastGraph(
  { text, vision }: {
    readonly text: Network<ClipTextConfig>;
    readonly vision: Network<ClipVisionConfig>;
  },
  batch: number,
  { textLocked = false } = {},
): ContrastGraph {
  const sequence = text.config.positions, all = () => true;
  const ids = input("input_ids", "int64", [batch, sequence]);
  const words = scope(
    "text",
    () =>
      clipTextModel(text.config, text.weights, { batch, sequence }, {
        values: { input_ids: ids },
        ...(!textLocked && { parameter: all }),
        pooled: true,
      }),
  );
  const seen = scope(
    "vision",
    () => clipVisionModel(vision.config, vision.weights, { batch }, { parameter: all }),
  );
  const logScale = input("logit_scale", "float32", []);
  const width = vision.config.projectionDim;
  const head = [
    input("digit_head.weight", "float32", [10, width]),
    input("digit_head.bias", "float32", [10]),
  ] as const;
  const embeds = seen.outputs.image_embeds!;
  const read = crossEntropy(linear(embeds, ...head), input("digits", "int64", [batch]));
  const alsoTrue = input("also_true", "float32", [batch, batch]);
  const pairs = contrastiveLoss(embeds, words.outputs.pooled!, logScale, alsoTrue);
  const spelled = textLocked ? [] : [spelling(words.outputs.hidden_states!)];
  return {
    loss: [pairs, read, ...spelled].reduce((a, b) => add(a, b)),
    parameters: [...words.parameters, ...seen.parameters, logScale, ...head],
  };
}

/** The smaller, the further apart states must be that say different things. */
const SHARPNESS: Readonly<Record<Saying, number>> = {
  digit: 0.5,
  ink: 0.6,
  background: 0.6,
  stroke: 0.8,
  slant: 0.8,
  size: 0.8,
};

/** How badly fixed directions of the states `h` [B, S, D] spell what the captions say. */
function spelling(h: Value): Value {
  const [batch, sequence, width] = h.shape as [number, number, number];
  const logits = matMul(h, constant(directions(width), [width, ANSWER_COUNT]));
  const answers = input("answers", "float32", [batch, 1, ANSWER_COUNT]);
  const places = input("places", "float32", [batch, sequence, KEYS.length]);
  const losses = KEYS.map((key, k) => {
    const { from, size } = ANSWERS[key];
    const own = (x: Value) => slice(x, [from], [from + size], [2]);
    const told = mul(logSoftmax(mul(own(logits), SHARPNESS[key]), 2), own(answers));
    const weight = squeeze(slice(places, [k], [k + 1], [2]), 2);
    return reduceSum(mul(reduceSum(told, { axes: [2] }), weight));
  });
  return neg(losses.reduce((a, b) => add(a, b)));
}

/** Orthonormal columns [width, 41], always the same (Gram-Schmidt over normal numbers). */
function directions(width: number): Float32Array {
  const random = new TorchCpuGenerator(99), columns: Float32Array[] = [];
  while (columns.length < ANSWER_COUNT) {
    const column = random.normal(width);
    for (const other of columns) {
      const dot = column.reduce((sum, value, i) => sum + value * other[i]!, 0);
      column.forEach((_, i) => column[i]! -= dot * other[i]!);
    }
    const length = Math.hypot(...column);
    columns.push(column.map((value) => value / length));
  }
  return Float32Array.from(
    { length: width * ANSWER_COUNT },
    (_, i) => columns[i % ANSWER_COUNT]![Math.floor(i / ANSWER_COUNT)]!,
  );
}
