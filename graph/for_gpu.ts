/**
 * A graph for kernels of GPUs: what they have one kernel for becomes one node, and pictures are
 * normalized with their channels last. The transposes that this takes meet those of convolutions that
 * work so, too (the CUDA provider's option prefer_nhwc), and ONNX Runtime takes such pairs away.
 *
 * Build the graph in the lowering "gpu". What a kernel does not take stays in the usual form.
 */
import { lowering } from "./lowering.ts";
import { apply } from "./op.ts";
import { biasAdd, biasAddFits, biasSplitGelu, biasSplitGeluFits } from "./ops/gpu_bias.ts";
import { channelsFirst, channelsLast } from "./ops/channels_last.ts";
import {
  groupNormFits,
  groupNormLast,
  type GroupNormOptions,
  skipGroupNorm,
  skipLayerNorm,
} from "./ops/gpu_normalization.ts";
import { groupNormalization } from "./ops/normalization.ts";
import { reshape } from "./ops/movement.ts";
import { rewrite, type Rewriting } from "./rewrite.ts";
import type { OpNode, Value } from "./value.ts";
import { weightAs } from "./weight_views.ts";

/** The graph of `outputs` with the kernels of GPUs. */
export function forGpu(outputs: Readonly<Record<string, Value>>): Record<string, Value> {
  return rewrite(outputs, [
    addedToGroupNorm,
    addedToLayerNorm,
    addedBias,
    groupNorm,
    gatedByGelu,
    sequenceOfPicture,
    pictureOfSequence,
  ]);
}

/** The operation that makes a value, where it is of the type. */
function made(value: Value | undefined, type: string): OpNode | undefined {
  const node = value?.node;
  return node?.kind === "op" && node.op.type === type ? node : undefined;
}

function fitsGroupNorm(node: OpNode): boolean {
  const [x, scale] = node.inputs as [Value, Value];
  return node.op.type === "GroupNormalization" && scale.shape.length === 1 &&
    groupNormFits(x.type, node.attributes.num_groups as number);
}

/** Group normalization, with the SiLU behind it: its last result, and what the kernel is told. */
function groupNormEnd(node: OpNode, again: Rewriting): { end: Value; options: GroupNormOptions } {
  const [y] = node.outputs as [Value];
  const { num_groups: groups, epsilon } = node.attributes as {
    num_groups: number;
    epsilon: number;
  };
  const silu = again.users(y).find(({ op, attributes }) =>
    op.type === "QuickGelu" && attributes.alpha === 1
  );
  const isFused = silu !== undefined && again.isOnlyFor(y, silu);
  return {
    end: isFused ? silu.outputs[0]! : y,
    options: { groups, epsilon, activation: isFused ? 1 : 0 },
  };
}

function groupNorm(node: OpNode, again: Rewriting): readonly Value[] | undefined {
  if (node.op.type !== "GroupNormalization") return undefined;
  const [x, scale, bias] = node.inputs.map((value) => again.of(value!)) as [Value, Value, Value];
  if (!fitsGroupNorm(node)) {
    const { num_groups: groups, epsilon } = node.attributes as {
      num_groups: number;
      epsilon: number;
    };
    return [lowering("fused", () => groupNormalization(x, scale, bias, { groups, epsilon }))];
  }
  const { end, options } = groupNormEnd(node, again);
  const weights = [weightAs(scale, "float32"), weightAs(bias, "float32")] as const;
  const y = channelsFirst(groupNormLast(channelsLast(x), ...weights, options));
  again.set(end, y);
  return [y];
}

/** A sum of pictures, or of a picture and a number for each channel, that is normalized next. */
function addedToGroupNorm(node: OpNode, again: Rewriting): readonly Value[] | undefined {
  const [sum] = node.outputs as [Value];
  const norm = node.op.type === "Add" ? again.users(sum).find(fitsGroupNorm) : undefined;
  if (!norm || norm.inputs[0] !== sum) return undefined;
  const [a, b] = node.inputs as [Value, Value];
  const isFirst = isWhole(a, sum) && !(isWhole(b, sum) && biasOf(b, node, again));
  const [x, skip] = isFirst ? [a, b] : [b, a];
  if (!isWhole(x, sum)) return undefined;
  const added = isWhole(skip, sum) ? channelsLast(again.of(skip)) : byChannel(skip, sum, again);
  if (!added) return undefined;
  const { end, options } = groupNormEnd(norm, again);
  const [scale, bias] = norm.inputs.slice(1).map((value) => weightAs(value!, "float32"));
  const [plain, shift] = withoutBias(x, node, again);
  const isSumUsed = !again.isOnlyFor(sum, norm);
  const [y, total] = skipGroupNorm(
    [channelsLast(plain), scale!, bias!, added, shift],
    { ...options, sum: isSumUsed },
  );
  again.set(end, channelsFirst(y!));
  again.set(norm.outputs[0]!, channelsFirst(y!));
  return [total ? channelsFirst(total) : again.of(x)];
}

function isWhole(value: Value, sum: Value): boolean {
  return value.shape.join() === sum.shape.join();
}

/** [N, C, 1, 1] as [N, C]. */
function byChannel(value: Value, { shape }: Value, again: Rewriting): Value | undefined {
  if (value.shape.join() !== [shape[0], shape[1], 1, 1].join()) return undefined;
  const from = made(value, "Unsqueeze")?.inputs[0];
  return reshape(again.of(from?.shape.length === 2 ? from : value), [shape[0]!, shape[1]!]);
}

/** The bias of a convolution that only `user` sees. */
function biasOf(value: Value, user: OpNode, again: Rewriting): Value | undefined {
  return again.isOnlyFor(value, user) ? made(value, "Conv")?.inputs[2] : undefined;
}

/** A convolution that only `user` sees, and its bias apart; anything else as it is. */
function withoutBias(value: Value, user: OpNode, again: Rewriting): [Value, Value | undefined] {
  const bias = biasOf(value, user, again);
  if (!bias) return [again.of(value), undefined];
  const { op, inputs: [x, kernels], attributes } = value.node as OpNode;
  const inputs = [again.of(x!), again.of(kernels!), undefined];
  return [apply(op, inputs, attributes), again.of(bias)];
}

/** A sum of sequences that is normalized next. */
function addedToLayerNorm(node: OpNode, again: Rewriting): readonly Value[] | undefined {
  const [sum] = node.outputs as [Value];
  const norm = node.op.type === "Add"
    ? again.users(sum).find((user) => isLastAxisNorm(user) && user.inputs[0] === sum)
    : undefined;
  const [a, b] = node.inputs as [Value, Value];
  if (!norm || !isWhole(a, sum) || !isWhole(b, sum)) return undefined;
  const [x, skip] = product(b, node, again) ? [b, a] : [a, b];
  const plain = product(x, node, again) ?? { value: again.of(x), bias: undefined };
  const [scale, bias] = norm.inputs.slice(1) as [Value, Value];
  const [y, total] = skipLayerNorm(
    [plain.value, again.of(skip), again.of(scale), again.of(bias), plain.bias],
    { epsilon: norm.attributes.epsilon as number, sum: !again.isOnlyFor(sum, norm) },
  );
  again.set(norm.outputs[0]!, y!);
  return [total ?? y!];
}

function isLastAxisNorm({ op, inputs: [x, , bias], attributes }: OpNode): boolean {
  return op.type === "LayerNormalization" && x!.shape.length === 3 && attributes.axis === 2 &&
    bias !== undefined;
}

/** A linear layer that only `user` sees: the product, and the bias apart. */
function product(
  value: Value,
  user: OpNode,
  again: Rewriting,
): { readonly value: Value; readonly bias: Value } | undefined {
  const sum = made(value, "Add"), [x, bias] = sum?.inputs ?? [];
  const isLinear = made(x, "FusedMatMul") && bias!.shape.length === 1 &&
    bias!.shape[0] === value.shape.at(-1);
  if (!sum || !isLinear || !again.isOnlyFor(value, user)) return undefined;
  return { value: again.of(x!), bias: again.of(bias!) };
}

/** A linear layer and what is added to it. */
function addedBias(node: OpNode, again: Rewriting): readonly Value[] | undefined {
  const [sum] = node.outputs as [Value];
  if (node.op.type !== "Add" || !biasAddFits(sum.type)) return undefined;
  const [a, b] = node.inputs as [Value, Value];
  for (const [x, skip] of [[a, b], [b, a]] as const) {
    const found = product(x, node, again);
    if (found && isWhole(skip, sum)) return [biasAdd(found.value, found.bias, again.of(skip))];
  }
  return undefined;
}

/** GEGLU: half of a linear layer, times the GELU of the other half. */
function gatedByGelu(node: OpNode, again: Rewriting): readonly Value[] | undefined {
  if (node.op.type !== "Mul") return undefined;
  const [value, gate] = node.inputs as [Value, Value];
  const gelu = made(gate, "Gelu"), [half] = gelu?.inputs ?? [];
  const split = made(value, "Split"), [both] = split?.inputs ?? [];
  const isHalved = split !== undefined && half?.node === split && value.index === 0 &&
    half.index === 1 && split.outputs.length === 2 && split.attributes.axis === 2;
  if (!isHalved || gelu!.attributes.approximate !== "none") return undefined;
  if (!biasSplitGeluFits(both!.type) || !isWhole(value, half)) return undefined;
  const found = product(both!, split, again);
  return found && [biasSplitGelu(found.value, found.bias)];
}

/** [B, C, h, w] to [B, h*w, C]: the same elements with the channels last. */
function sequenceOfPicture(node: OpNode, again: Rewriting): readonly Value[] | undefined {
  if (node.op.type !== "Transpose" || String(node.attributes.perm) !== "0,2,1") return undefined;
  const [picture] = made(node.inputs[0], "Reshape")?.inputs ?? [];
  const [b, c] = picture?.shape ?? [], [y] = node.outputs as [Value];
  if (picture?.shape.length !== 4 || b !== y.shape[0] || c !== y.shape[2]) return undefined;
  return [reshape(channelsLast(again.of(picture)), y.shape)];
}

/** [B, h*w, C] to [B, C, h, w], likewise. */
function pictureOfSequence(node: OpNode, again: Rewriting): readonly Value[] | undefined {
  if (node.op.type !== "Reshape") return undefined;
  const turned = made(node.inputs[0], "Transpose"), [sequence] = turned?.inputs ?? [];
  const [b, c, h, w] = node.outputs[0]!.shape;
  const isPicture = node.outputs[0]!.shape.length === 4 &&
    String(turned?.attributes.perm) === "0,2,1" && sequence?.shape[2] === c;
  return isPicture ? [channelsFirst(reshape(again.of(sequence!), [b!, h!, w!, c!]))] : undefined;
}
