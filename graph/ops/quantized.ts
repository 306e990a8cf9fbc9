/**
 * Linear layers and convolutions whose weights are stored in fewer bits.
 *
 * - int8: bytes, with a scale for each output. Activations become bytes at every run, with one scale
 *   and zero point for the whole tensor, so the products are of bytes: several times faster on
 *   processors with instructions for them, and nothing has to be calibrated.
 * - int4: blocks of a row share a scale; activations stay float32. Saves memory, not time.
 */
import { lower } from "../lowering.ts";
import { apply, applyAll, type OpDef } from "../op.ts";
import { type Dim, fixedShape, ShapeError } from "../shape.ts";
import type { TensorType, Value } from "../value.ts";
import { add, mul } from "./arithmetic.ts";
import { cast } from "./elementwise.ts";
import { transpose } from "./movement.ts";
import { overWindows, type UnfoldOptions } from "./unfold.ts";

/** A tensor as bytes: each element is `scale * (bytes - zeroPoint)`. */
interface Quantized {
  readonly bytes: Value;
  readonly scale: Value;
  readonly zeroPoint: Value;
}

const dynamicQuantizeOp: OpDef<readonly [Value], object> = {
  type: "DynamicQuantizeLinear",
  infer: ([x]) => [
    { dtype: "uint8", shape: x.shape },
    { dtype: "float32", shape: [] },
    { dtype: "uint8", shape: [] },
  ],
  vjp: "none",
};

/** From the smallest to the largest element, 0 included, in 255 steps. */
function dynamicQuantize(x: Value): Quantized {
  const [bytes, scale, zeroPoint] = applyAll(dynamicQuantizeOp, [x], {});
  return { bytes: bytes!, scale: scale!, zeroPoint: zeroPoint! };
}

/** [..., K] and [K, N] to [..., N]. */
function productShape(op: string, a: TensorType, b: TensorType): Dim[] {
  if (b.shape.length !== 2 || a.shape.at(-1) !== b.shape[0]) {
    throw new ShapeError(op, [a.shape, b.shape], "expected [..., K] and [K, N].");
  }
  return [...a.shape.slice(0, -1), b.shape[1] as Dim];
}

/** Bytes, weights, the scales of both, the bytes' zero point, the weights' (always 0), and a bias. */
type ByteProduct = readonly [Value, Value, Value, Value, Value, undefined, Value | undefined];

const matMulIntegerToFloatOp: OpDef<ByteProduct, object> = {
  type: "MatMulIntegerToFloat",
  domain: "com.microsoft",
  infer: ([a, b]) => [{ dtype: "float32", shape: productShape("MatMulIntegerToFloat", a, b) }],
  vjp: "none",
};

const matMulIntegerOp: OpDef<readonly [Value, Value, Value], object> = {
  type: "MatMulInteger",
  infer: ([a, b]) => [{ dtype: "int32", shape: productShape("MatMulInteger", a, b) }],
  vjp: "none",
};

/** The product of bytes as numbers again. */
function byteProduct(x: Quantized, { weight, scale, bias }: Int8Layer): Value {
  const standard = () => {
    const sums = apply(matMulIntegerOp, [x.bytes, weight, x.zeroPoint], {});
    const product = mul(cast(sums, "float32"), mul(x.scale, scale));
    return bias ? add(product, bias) : product;
  };
  return lower({
    fused: () =>
      apply(
        matMulIntegerToFloatOp,
        [x.bytes, weight, x.scale, scale, x.zeroPoint, undefined, bias],
        {},
      ),
    standard,
    primitive: standard,
  });
}

/** A layer with weights of 8 bits. */
export interface Int8Layer {
  /** int8 [K, N]: transposed, and a kernel's places before its channels. */
  readonly weight: Value;
  /** float32 [N] */
  readonly scale: Value;
  /** float32 [N] */
  readonly bias?: Value | undefined;
}

/** `linear` of x [..., K], float32. */
export function linearInt8(x: Value, layer: Int8Layer): Value {
  return byteProduct(dynamicQuantize(x), layer);
}

/** `conv` of x [N, C, h, w], float32. */
export function convInt8(x: Value, layer: Int8Layer, options: Omit<UnfoldOptions, "fill">): Value {
  const { bytes, scale, zeroPoint } = dynamicQuantize(x);
  const y = overWindows(
    transpose(bytes, [0, 2, 3, 1]),
    { ...options, fill: zeroPoint },
    (windows) => byteProduct({ bytes: windows, scale, zeroPoint }, layer),
  );
  return transpose(y, [0, 3, 1, 2]);
}

interface NBitsAttributes {
  readonly K: number;
  readonly N: number;
  readonly bits: number;
  readonly block_size: number;
}

const matMulNBitsOp: OpDef<readonly [Value, Value, Value], NBitsAttributes> = {
  type: "MatMulNBits",
  domain: "com.microsoft",
  attributes: { K: "int", N: "int", bits: "int", block_size: "int" },
  infer: ([x, w], { K, N, bits, block_size }) => {
    const expected = [N, K / block_size, block_size * bits / 8];
    if (x.shape.at(-1) !== K || String(w.shape) !== String(expected)) {
      throw new ShapeError(
        "MatMulNBits",
        [x.shape, w.shape],
        `expected [..., ${K}], [${expected}].`,
      );
    }
    return [{ dtype: "float32", shape: [...x.shape.slice(0, -1), N] }];
  },
  vjp: "none",
};

/** A layer with weights of 4 bits. */
export interface Int4Layer {
  /** uint8 [N, K / block, block / 2]: the lower half of a byte comes first; 8 stands for 0. */
  readonly weight: Value;
  /** float32 [N, K / block] */
  readonly scale: Value;
  /** float32 [N] */
  readonly bias?: Value | undefined;
}

/** `linear` of x [..., K], float32. */
export function linearInt4(x: Value, { weight, scale, bias }: Int4Layer): Value {
  const [N, blocks, half] = fixedShape("linearInt4", weight.shape) as [number, number, number];
  const attributes = { K: blocks * half * 2, N, bits: 4, block_size: half * 2 };
  const product = apply(matMulNBitsOp, [x, weight, scale], attributes);
  return bias ? add(product, bias) : product;
}

/** `conv` of x [N, C, h, w], float32. */
export function convInt4(x: Value, layer: Int4Layer, options: Omit<UnfoldOptions, "fill">): Value {
  const pixels = transpose(x, [0, 2, 3, 1]);
  const y = overWindows(pixels, options, (windows) => linearInt4(windows, layer));
  return transpose(y, [0, 3, 1, 2]);
}
