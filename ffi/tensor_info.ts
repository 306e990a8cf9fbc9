import { type DType, dtypeOf } from "./dtype.ts";
import { pointerIn, textAt } from "./memory.ts";
import type { Native } from "./native.ts";

/** What a model says about one of its inputs or outputs. */
export interface TensorInfo {
  /** Its name in the model. */
  readonly name: string;
  /** Its element type. */
  readonly dtype: DType;
  /** A number is a fixed size, a string a symbolic one; a size without a name is `"?"`. */
  readonly shape: readonly (number | string)[];
}

/** The three lists of values that a session describes by index. */
export type ValueList = "Input" | "Output" | "OverridableInitializer";

/** ONNX_TYPE_TENSOR of `enum ONNXType`, and the other names for messages. */
const TENSOR = 1;
const ONNX_TYPES = ["unknown", "tensor", "sequence", "map", "opaque", "sparse tensor", "optional"];

/**
 * Describes the inputs, the outputs, or the initializers that a feed may replace.
 * @throws {TypeError} if one is not a dense tensor of a type that JavaScript can hold.
 */
export function readInfos(
  native: Native,
  session: Deno.PointerObject,
  list: ValueList,
): readonly TensorInfo[] {
  const count = native.number(`SessionGet${list}Count`, session);
  const infos = Array.from({ length: count }, (_, index) => {
    const name = native.text(`SessionGet${list}Name`, session, index, native.allocator);
    using type = native.own(
      "TypeInfo",
      native.pointer(`SessionGet${list}TypeInfo`, session, index),
      "ReleaseTypeInfo",
    );
    return Object.freeze({ name, ...readTensorType(native, type.pointer, name) });
  });
  return Object.freeze(infos);
}

function readTensorType(native: Native, type: Deno.PointerObject, name: string) {
  const kind = native.int("GetOnnxTypeFromTypeInfo", type);
  if (kind !== TENSOR) {
    throw new TypeError(
      `Cannot use the model: its value ${name} is no tensor; got ${
        ONNX_TYPES[kind] ?? kind
      }, expected tensor. Change the model's inputs and outputs.`,
    );
  }
  // It belongs to the type info.
  const info = native.pointer("CastTypeInfoToTensorInfo", type);
  const code = native.int("GetTensorElementType", info);
  const dtype = dtypeOf(code);
  if (dtype === undefined) {
    throw new TypeError(
      `Cannot use the model: its value ${name} has ONNX element type ${code}, which JavaScript has ` +
        "no array for. Add a Cast to the model.",
    );
  }
  const rank = native.number("GetDimensionsCount", info);
  const sizes = new BigInt64Array(rank), symbols = new BigUint64Array(rank);
  native.call("GetDimensions", info, sizes, rank);
  native.call("GetSymbolicDimensions", info, symbols, rank);
  const shape = Array.from(
    sizes,
    (size, i) => size >= 0n ? Number(size) : textAt(pointerIn(symbols, i)) || "?",
  );
  return { dtype, shape: Object.freeze(shape) };
}
