/**
 * Bytes of one element, by the dtype names of the safetensors format
 * (https://github.com/huggingface/safetensors, "Format"); sub-byte types are not here.
 */
export const BYTES_PER_ELEMENT = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  F8_E4M3: 1,
  F8_E5M2: 1,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
} as const;

/** A dtype as safetensors spells it. */
export type StoredDType = keyof typeof BYTES_PER_ELEMENT;

/** Bytes `[offset, offset + byteLength)` of a file; `file` is absolute with symlinks resolved. */
export interface FileRange {
  /** Absolute path. */
  readonly file: string;
  /** First byte, from the start of the file; any alignment. */
  readonly offset: number;
  /** Bytes, exactly those of the tensor. */
  readonly byteLength: number;
}

/** Where a tensor's bytes are: in a file, or already in memory. Row-major, little-endian. */
export type TensorLocation = FileRange | { readonly data: Uint8Array };

/** A tensor that has been found but not read. */
export interface StoredTensor {
  /** The file's own name for it. */
  readonly name: string;
  /** Type of the elements. */
  readonly dtype: StoredDType;
  /** Sizes, outermost first; empty for a scalar. */
  readonly shape: readonly number[];
  /** Where the elements are. */
  readonly location: TensorLocation;
  /** What the elements are multiplied by when they are read as numbers: scaled float8. */
  readonly scale?: number;
}

/** Tensors by name, from one file, several shards, or memory. */
export interface TensorSource {
  /** All names, in the order of the file. */
  names(): Iterable<string>;
  /** The tensor of that name. */
  get(name: string): StoredTensor | undefined;
  /** Free text that the file carries (`__metadata__` of safetensors). */
  readonly metadata: Readonly<Record<string, string>>;
  /** What was opened, for messages. */
  readonly path: string;
}

/** Whether `name` is a dtype that can be stored and read here. */
export function isStoredDType(name: unknown): name is StoredDType {
  return typeof name === "string" && Object.hasOwn(BYTES_PER_ELEMENT, name);
}

/** The number of elements of `shape`; NaN when it is not exactly representable as a Number. */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const size of shape) {
    count *= size;
    if (!Number.isSafeInteger(count)) return NaN;
  }
  return count;
}

/** The bytes that a tensor of `dtype` and `shape` takes; NaN when beyond Number's exact range. */
export function tensorByteLength(dtype: StoredDType, shape: readonly number[]): number {
  const bytes = elementCount(shape) * BYTES_PER_ELEMENT[dtype];
  return Number.isSafeInteger(bytes) ? bytes : NaN;
}

/** A source over `tensors`; a later tensor of the same name replaces an earlier one. */
export function tensorSource(
  path: string,
  tensors: Iterable<StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
): TensorSource {
  const byName = new Map<string, StoredTensor>();
  for (const tensor of tensors) byName.set(tensor.name, tensor);
  return { path, metadata, names: () => byName.keys(), get: (name) => byName.get(name) };
}

/** The tensors of `source` that `nameOf` gives a name, under that name. */
export function renamed(
  source: TensorSource,
  nameOf: (name: string) => string | undefined,
): TensorSource {
  const tensors: StoredTensor[] = [];
  for (const old of source.names()) {
    const name = nameOf(old);
    if (name !== undefined) tensors.push({ ...source.get(old)!, name });
  }
  return tensorSource(source.path, tensors, source.metadata);
}

/** Wraps bytes as a tensor; throws RangeError when they don't fill `shape` exactly. */
export function tensorInMemory(
  name: string,
  dtype: StoredDType,
  shape: readonly number[],
  data: ArrayBufferView,
): StoredTensor {
  const bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  const expected = tensorByteLength(dtype, shape);
  if (bytes.byteLength !== expected) {
    throw new RangeError(
      `Cannot make tensor ${name}: its bytes do not fill ${dtype}[${shape}]; ` +
        `got ${bytes.byteLength}, expected ${expected}.`,
    );
  }
  return { name, dtype, shape, location: { data: bytes } };
}
