/** Element types of tensors, their ONNX codes and sizes, and numbers written as their bytes. */

/** The element type of a tensor. */
export type DType =
  | "float32"
  | "float16"
  | "bfloat16"
  | "float64"
  | "int8"
  | "uint8"
  | "int16"
  | "uint16"
  | "int32"
  | "uint32"
  | "int64"
  | "uint64"
  | "bool";

/** Element types that a file's weights may have: float8 is converted before a graph sees it. */
export type FileDType = DType | "float8e4m3fn" | "float8e5m2";

/** `[TensorProto.DataType code, bytes an element]` (onnx.proto). */
const TABLE: Readonly<Record<DType, readonly [code: number, bytes: number]>> = {
  float32: [1, 4],
  uint8: [2, 1],
  int8: [3, 1],
  uint16: [4, 2],
  int16: [5, 2],
  int32: [6, 4],
  int64: [7, 8],
  bool: [9, 1],
  float16: [10, 2],
  float64: [11, 8],
  uint32: [12, 4],
  uint64: [13, 8],
  bfloat16: [16, 2],
};

/** Any array of numbers that can become a constant. */
export type NumericArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** Every dtype, in the order of its ONNX code. */
export const dtypes: readonly DType[] = Object.keys(TABLE) as DType[];

/** The ONNX code of a dtype (TensorProto.DataType). */
export function dtypeCode(dtype: DType): number {
  return TABLE[dtype][0];
}

/** The dtype with this ONNX code, or undefined for one that graphs here do not use. */
export function dtypeOfCode(code: number): DType | undefined {
  return dtypes.find((dtype) => TABLE[dtype][0] === code);
}

/** Bytes an element takes. */
export function byteSize(dtype: FileDType): number {
  return dtype === "float8e4m3fn" || dtype === "float8e5m2" ? 1 : TABLE[dtype][1];
}

/** True for the types that carry derivatives. */
export function isFloating(dtype: DType): boolean {
  return dtype === "float32" || dtype === "float16" || dtype === "float64" || dtype === "bfloat16";
}

/** The dtype that a typed array holds as it is: `Uint16Array` is uint16, never float16. */
export function dtypeOfArray(array: NumericArray): DType {
  return array.constructor.name.replace("Array", "").toLowerCase().replace("big", "") as DType;
}

/** Elements as the little-endian bytes of `dtype`; the bytes of a matching array are not copied. */
export function encodeElements(data: NumericArray, dtype: DType): Uint8Array {
  if (dtypeOfArray(data) === dtype) {
    return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  }
  const bytes = new Uint8Array(data.length * byteSize(dtype));
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < data.length; i++) setElement(view, i * byteSize(dtype), data[i] ?? 0, dtype);
  return bytes;
}

/** Little-endian bytes as numbers; int64 must fit a double exactly, as shapes and indices do. */
export function decodeElements(bytes: Uint8Array, dtype: DType): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = byteSize(dtype);
  return Array.from(
    { length: bytes.byteLength / size },
    (_, i) => getElement(view, i * size, dtype),
  );
}

function setElement(view: DataView, at: number, value: number | bigint, dtype: DType): void {
  switch (dtype) {
    case "float32":
      return view.setFloat32(at, Number(value), true);
    case "float64":
      return view.setFloat64(at, Number(value), true);
    case "float16":
      return view.setUint16(at, float16Bits(Number(value)), true);
    case "bfloat16":
      return view.setUint16(at, bfloat16Bits(Number(value)), true);
    case "int64":
    case "uint64":
      return view.setBigInt64(at, BigInt(value), true);
    case "bool":
      return view.setUint8(at, Number(value) ? 1 : 0);
  }
  const number = Number(value);
  if (byteSize(dtype) === 1) view.setUint8(at, number);
  else if (byteSize(dtype) === 2) view.setUint16(at, number, true);
  else view.setUint32(at, number, true);
}

function getElement(view: DataView, at: number, dtype: DType): number {
  switch (dtype) {
    case "float32":
      return view.getFloat32(at, true);
    case "float64":
      return view.getFloat64(at, true);
    case "float16":
      return float16Value(view.getUint16(at, true));
    case "bfloat16":
      return bfloat16Value(view.getUint16(at, true));
    case "int64":
      return Number(view.getBigInt64(at, true));
    case "uint64":
      return Number(view.getBigUint64(at, true));
    case "int32":
      return view.getInt32(at, true);
    case "uint32":
      return view.getUint32(at, true);
    case "int16":
      return view.getInt16(at, true);
    case "uint16":
      return view.getUint16(at, true);
    case "int8":
      return view.getInt8(at);
    case "uint8":
    case "bool":
      return view.getUint8(at);
  }
}

/** IEEE 754 binary16 bits of a number, rounded to nearest even. */
function float16Bits(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (size >= 65520) return sign | 0x7c00; // halfway between the largest half and 2^16 rounds up
  const exponent = Math.max(Math.floor(Math.log2(size || 2 ** -15)), -14);
  const mantissa = roundHalfEven(size * 2 ** (10 - exponent)); // 1024..2048, or less if subnormal
  return sign | (((exponent + 14) << 10) + mantissa); // the hidden bit carries into the exponent
}

/** The number that binary16 bits stand for. */
function float16Value(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (exponent === 31) return mantissa ? NaN : sign * Infinity;
  return sign * (exponent ? (1024 + mantissa) * 2 ** (exponent - 25) : mantissa * 2 ** -24);
}

/** The upper half of the float32, rounded to nearest even. */
function bfloat16Bits(value: number): number {
  if (Number.isNaN(value)) return 0x7fc0;
  const bits = new Uint32Array(new Float32Array([value]).buffer)[0] ?? 0;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** The number that bfloat16 bits stand for. */
function bfloat16Value(bits: number): number {
  return new Float32Array(new Uint32Array([bits << 16]).buffer)[0] ?? 0;
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
