interface ArrayClass {
  readonly name: string;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): TypedArray;
}

interface Row {
  /** The code in `enum ONNXTensorElementDataType`. */
  readonly code: number;
  /** Bytes of one element. */
  readonly bytes: number;
  /** The arrays that can hold it, the one that views use first. */
  readonly arrays: readonly ArrayClass[];
}

/** The element types that JavaScript can hold. */
const DTYPES = {
  float32: { code: 1, bytes: 4, arrays: [Float32Array] },
  uint8: { code: 2, bytes: 1, arrays: [Uint8Array, Uint8ClampedArray] },
  int8: { code: 3, bytes: 1, arrays: [Int8Array] },
  uint16: { code: 4, bytes: 2, arrays: [Uint16Array] },
  int16: { code: 5, bytes: 2, arrays: [Int16Array] },
  int32: { code: 6, bytes: 4, arrays: [Int32Array] },
  int64: { code: 7, bytes: 8, arrays: [BigInt64Array] },
  bool: { code: 9, bytes: 1, arrays: [Uint8Array] },
  float16: { code: 10, bytes: 2, arrays: [Float16Array, Uint16Array] },
  float64: { code: 11, bytes: 8, arrays: [Float64Array] },
  uint32: { code: 12, bytes: 4, arrays: [Uint32Array] },
  uint64: { code: 13, bytes: 8, arrays: [BigUint64Array] },
  bfloat16: { code: 16, bytes: 2, arrays: [Uint16Array] },
  string: { code: 8, bytes: 0, arrays: [] },
} as const satisfies Readonly<Record<DType, Row>>;

/** The element type of a tensor. */
export type DType =
  | "float32"
  | "float64"
  | "float16"
  | "bfloat16"
  | "int8"
  | "uint8"
  | "int16"
  | "uint16"
  | "int32"
  | "uint32"
  | "int64"
  | "uint64"
  | "bool"
  | "string";

/** Any array that holds a tensor's elements. */
export type TypedArray =
  | Float32Array
  | Float64Array
  | Float16Array
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/**
 * The arrays that hold each element type. float16 is a Float16Array, or the bits in a Uint16Array;
 * bfloat16 is its bits; bool is one byte, 0 or 1.
 */
export type DataOf<D extends DType> = {
  float32: Float32Array;
  uint8: Uint8Array | Uint8ClampedArray;
  int8: Int8Array;
  uint16: Uint16Array;
  int16: Int16Array;
  int32: Int32Array;
  int64: BigInt64Array;
  bool: Uint8Array;
  float16: Float16Array | Uint16Array;
  float64: Float64Array;
  uint32: Uint32Array;
  uint64: BigUint64Array;
  bfloat16: Uint16Array;
  string: never;
}[D];

/** The code of an element type in `enum ONNXTensorElementDataType`. */
export function codeOf(dtype: DType): number {
  return DTYPES[dtype].code;
}

/** Bytes of one element; 0 for strings, which have no fixed size. */
export function bytesPerElement(dtype: DType): number {
  return DTYPES[dtype].bytes;
}

/** The element type with a code of `enum ONNXTensorElementDataType`, if it is one that JavaScript can hold. */
export function dtypeOf(code: number): DType | undefined {
  return DTYPE_NAMES.find((dtype) => DTYPES[dtype].code === code);
}

const DTYPE_NAMES = Object.keys(DTYPES) as DType[];

/**
 * Says whether an array can hold an element type.
 * @throws {TypeError} if `dtype` is no element type.
 */
export function holds(dtype: DType, data: unknown): data is TypedArray {
  return rowOf(dtype).arrays.some((array) => data instanceof array);
}

/** Names the arrays that can hold an element type. */
export function arrayNames(dtype: DType): string {
  return rowOf(dtype).arrays.map(({ name }) => name).join(" or ");
}

/**
 * A typed array over bytes, no copy.
 * @throws {RangeError} if the bytes do not lie at a multiple of the element's size.
 */
export function viewOf(dtype: DType, bytes: Uint8Array): TypedArray {
  const { arrays: [TypedArray], bytes: size } = rowOf(dtype);
  if (TypedArray === undefined) {
    throw new TypeError(
      "Cannot view strings as numbers: the tensor's dtype is string. Use strings().",
    );
  }
  if (bytes.byteOffset % size !== 0) {
    throw new RangeError(
      `Cannot view the bytes as ${dtype}: they are not aligned; got offset ${bytes.byteOffset}, ` +
        `expected a multiple of ${size}. Read them through bytes, or copy them.`,
    );
  }
  return new TypedArray(bytes.buffer, bytes.byteOffset, bytes.byteLength / size);
}

function rowOf(dtype: DType): Row {
  if (!Object.hasOwn(DTYPES, dtype)) {
    throw new TypeError(
      `Cannot use the dtype ${dtype}: it is not known; expected one of ${DTYPE_NAMES.join(", ")}.`,
    );
  }
  return DTYPES[dtype];
}
