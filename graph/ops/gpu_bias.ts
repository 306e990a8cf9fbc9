/**
 * Operators of ONNX Runtime's own that add a bias on the way, with kernels for GPUs alone
 * (com.microsoft, docs/ContribOperators.md). Their kernels are of the widths that Stable Diffusion has.
 */
import { apply, type OpDef, sameDtype } from "../op.ts";
import { type Dim, ShapeError } from "../shape.ts";
import type { TensorType, Value } from "../value.ts";
import { gelu } from "./activation.ts";
import { add, mul } from "./arithmetic.ts";
import { split } from "./join.ts";

const SPLIT_WIDTHS: readonly Dim[] = [2560, 5120, 10240],
  ADD_WIDTHS: readonly Dim[] = [320, 640, 1280];

/** Whether BiasSplitGelu's kernel takes it. */
export function biasSplitGeluFits(x: TensorType): boolean {
  return fits(x, SPLIT_WIDTHS);
}

/** Whether BiasAdd's kernel takes it. */
export function biasAddFits(x: TensorType): boolean {
  return fits(x, ADD_WIDTHS);
}

function fits({ shape, dtype }: TensorType, widths: readonly Dim[]): boolean {
  const isFloat = dtype === "float16" || dtype === "float32";
  return isFloat && shape.length === 3 && widths.includes(shape[2]!);
}

function checkBias(op: string, x: TensorType, bias: TensorType, widths: readonly Dim[]): void {
  sameDtype(op, [x, bias]);
  if (fits(x, widths) && bias.shape.join() === `${x.shape[2]}`) return;
  const why = `expected [N, S, C] and [C] with C one of ${widths.join(", ")}.`;
  throw new ShapeError(op, [x.shape, bias.shape], why);
}

const biasSplitGeluOp: OpDef<readonly [Value, Value], object> = {
  type: "BiasSplitGelu",
  domain: "com.microsoft",
  infer: ([x, bias]) => {
    checkBias("BiasSplitGelu", x, bias, SPLIT_WIDTHS);
    const [n, s, width] = x.shape as [Dim, Dim, number];
    return [{ dtype: x.dtype, shape: [n, s, width / 2] }];
  },
  expansion: ([x, bias]) => {
    const [value, gate] = split(add(x, bias), 2, 2) as [Value, Value];
    return [mul(value, gelu(gate))];
  },
  vjp: "none",
};

/** The first half of `x + bias` [N, S, 2 C], times the GELU of the second: [N, S, C]. */
export function biasSplitGelu(x: Value, bias: Value): Value {
  return apply(biasSplitGeluOp, [x, bias], {});
}

const biasAddOp: OpDef<readonly [Value, Value, Value], object> = {
  type: "BiasAdd",
  domain: "com.microsoft",
  infer: ([x, bias, skip]) => {
    checkBias("BiasAdd", x, bias, ADD_WIDTHS);
    sameDtype("BiasAdd", [x, skip]);
    if (x.shape.join() === skip.shape.join()) return [x];
    throw new ShapeError("BiasAdd", [x.shape, skip.shape], "expected two of one shape.");
  },
  expansion: ([x, bias, skip]) => [add(add(x, bias), skip)],
  vjp: "none",
};

/** `x + bias + skip`: x and skip [N, S, C], bias [C]. */
export function biasAdd(x: Value, bias: Value, skip: Value): Value {
  return apply(biasAddOp, [x, bias, skip], {});
}
