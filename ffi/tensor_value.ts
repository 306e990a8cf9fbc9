import { bytesPerElement, codeOf, type DType, dtypeOf, type TypedArray } from "./dtype.ts";
import type { Native } from "./native.ts";
import { checkShape, elementCount } from "./shape.ts";

/** C wants some address even for no bytes. */
const NOTHING = new Uint8Array(8);

/** An `OrtValue` over an array; whoever takes it keeps the array. Throws as {@linkcode Tensor.from}. */
export function valueOver(
  native: Native,
  dtype: DType,
  data: TypedArray,
  shape: readonly number[],
): Deno.PointerValue {
  checkShape(shape, data.byteLength / bytesPerElement(dtype), `${dtype} elements`);
  const { buffer } = data;
  if (buffer instanceof ArrayBuffer ? buffer.resizable : buffer.growable) {
    throw new TypeError(
      "Cannot make a tensor over a resizable buffer: it could move. Copy it first.",
    );
  }
  const memory = data.byteLength === 0 ? NOTHING : data;
  return native.pointer(
    "CreateTensorWithDataAsOrtValue",
    native.cpuMemory.pointer,
    Deno.UnsafePointer.of(memory as BufferSource),
    data.byteLength,
    BigInt64Array.from(shape, BigInt),
    shape.length,
    codeOf(dtype),
  );
}

/** An `OrtValue` in memory of the default allocator. Throws as {@linkcode Tensor.empty}. */
export function emptyValue(
  native: Native,
  dtype: DType,
  shape: readonly number[],
): Deno.PointerValue {
  checkShape(shape, undefined, "elements");
  if (elementCount(shape) * bytesPerElement(dtype) > Number.MAX_SAFE_INTEGER) {
    throw new RangeError(`Cannot make a tensor of shape [${shape}]: it is too large.`);
  }
  return native.pointer(
    "CreateTensorAsOrtValue",
    native.allocator,
    BigInt64Array.from(shape, BigInt),
    shape.length,
    codeOf(dtype),
  );
}

/**
 * Reads what a value is.
 * @throws {TypeError} for an element type that JavaScript has no array for.
 */
export function typeAndShape(
  native: Native,
  value: Deno.PointerObject,
): [DType, readonly number[]] {
  using info = native.own(
    "TensorTypeAndShapeInfo",
    native.pointer("GetTensorTypeAndShape", value),
    "ReleaseTensorTypeAndShapeInfo",
  );
  const code = native.int("GetTensorElementType", info.pointer);
  const dtype = dtypeOf(code);
  if (dtype === undefined) {
    throw new TypeError(
      `Cannot read a tensor of ONNX element type ${code}: JavaScript has no array for it. ` +
        "Add a Cast to the model.",
    );
  }
  const rank = native.number("GetDimensionsCount", info.pointer);
  const dims = new BigInt64Array(rank);
  native.call("GetDimensions", info.pointer, dims, rank);
  return [dtype, Object.freeze(Array.from(dims, Number))];
}

/**
 * The value's own memory, valid as long as the value.
 * @throws {TypeError} if it lies on a device.
 */
export function memoryOf(
  native: Native,
  value: Deno.PointerObject,
  byteLength: number,
): ArrayBuffer {
  const device = new Int32Array(1);
  native.api.MemoryInfoGetDeviceType(native.pointer("GetTensorMemoryInfo", value), device);
  if (device[0] !== CPU) {
    throw new TypeError(
      "Cannot read the tensor's elements: they lie in a device's memory. Bind the output to the CPU.",
    );
  }
  const start = native.pointer("GetTensorMutableData", value);
  return start === null || byteLength === 0
    ? new ArrayBuffer(0)
    : Deno.UnsafePointerView.getArrayBuffer(start, byteLength);
}

/** OrtMemoryInfoDeviceType_CPU. */
const CPU = 0;
