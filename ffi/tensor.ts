import {
  arrayNames,
  bytesPerElement,
  type DataOf,
  type DType,
  holds,
  type TypedArray,
  viewOf,
} from "./dtype.ts";
import type { Handle, Resource } from "./handle.ts";
import type { Native } from "./native.ts";
import type { Runtime } from "./runtime.ts";
import { checkShape, elementCount } from "./shape.ts";
import { readStrings, writeStrings } from "./strings.ts";
import { emptyValue, memoryOf, typeAndShape, valueOver } from "./tensor_value.ts";

// An array taken from a tensor may outlive it, so the array's buffer keeps its tensor from being forgotten.
const owners = new WeakMap<ArrayBufferLike, Tensor>();

/**
 * An n-dimensional array that ONNX Runtime can read and write. Its memory is the caller's own array
 * ({@linkcode Tensor.from}) or ONNX Runtime's (every output); neither is copied. Dispose it, or let it
 * be forgotten; it stays valid for runs that already use it.
 */
export class Tensor<D extends DType = DType> implements Disposable {
  /** The element type. */
  readonly dtype: D;
  /** The size of each dimension. */
  readonly shape: readonly number[];
  readonly #handle: Handle;
  readonly #native: Native;
  readonly #given: TypedArray | undefined;
  #bytes: Uint8Array | undefined;
  #data: TypedArray | undefined;

  private constructor(
    native: Native,
    handle: Handle,
    dtype: D,
    shape: readonly number[],
    given?: TypedArray,
  ) {
    this.#native = native;
    this.#handle = handle;
    this.dtype = dtype;
    this.shape = shape;
    this.#given = given;
  }

  /**
   * A tensor over `data`, no copy: later writes to the array are seen by later runs. The tensor keeps the
   * array alive; do not transfer its buffer while the tensor is open.
   *
   * @param shape elements in row-major order; `[]` is a scalar.
   * @throws {TypeError} if the array cannot hold the dtype, or can be resized.
   * @throws {RangeError} if the shape does not have as many elements as the array.
   */
  static from<D extends Exclude<DType, "string">>(
    runtime: Runtime,
    dtype: D,
    data: DataOf<D>,
    shape: readonly number[],
  ): Tensor<D> {
    if (!holds(dtype, data)) {
      throw new TypeError(
        `Cannot make a ${dtype} tensor: the data is of the wrong kind; ` +
          `got ${kindOf(data)}, expected ${
            arrayNames(dtype) || "strings: use Tensor.fromStrings"
          }.`,
      );
    }
    return Tensor.#over(runtime, dtype, data, shape);
  }

  /**
   * A tensor over raw little-endian bytes, no copy and at any alignment, for example a piece of a file.
   * @throws {RangeError} if the shape does not have as many bytes.
   */
  static fromBytes<D extends Exclude<DType, "string">>(
    runtime: Runtime,
    dtype: D,
    bytes: Uint8Array,
    shape: readonly number[],
  ): Tensor<D> {
    if (!(bytes instanceof Uint8Array)) {
      throw new TypeError(
        `Cannot make a tensor from bytes: got ${kindOf(bytes)}, expected Uint8Array.`,
      );
    }
    return Tensor.#over(runtime, dtype, bytes, shape);
  }

  /** A tensor of strings, copied into ONNX Runtime's memory. */
  static fromStrings(
    runtime: Runtime,
    strings: readonly string[],
    shape: readonly number[],
  ): Tensor<"string"> {
    checkShape(shape, strings.length, "strings");
    const tensor = Tensor.empty(runtime, "string", shape);
    writeStrings(runtime.native, tensor.#handle.pointer, strings);
    return tensor;
  }

  /** A tensor in ONNX Runtime's own memory, its contents undefined; strings are empty. */
  static empty<D extends DType>(
    runtime: Runtime,
    dtype: D,
    shape: readonly number[],
  ): Tensor<D> {
    const { native } = runtime;
    const pointer = emptyValue(native, dtype, shape);
    const handle = native.own("Tensor", pointer, "ReleaseValue", { needs: [native.environment] });
    return new Tensor(native, handle, dtype, Object.freeze([...shape]));
  }

  /**
   * Takes ownership of an `OrtValue*`, such as an output of a run.
   * @internal
   */
  static adopt(native: Native, pointer: Deno.PointerValue): Tensor {
    const handle = native.own("Tensor", pointer, "ReleaseValue", { needs: [native.environment] });
    try {
      return new Tensor(native, handle, ...typeAndShape(native, handle.pointer));
    } catch (error) {
      handle.dispose();
      throw error;
    }
  }

  /** How many elements it has. */
  get size(): number {
    return elementCount(this.shape);
  }

  /** How many bytes its elements take; 0 for strings. */
  get byteLength(): number {
    return this.size * bytesPerElement(this.dtype);
  }

  /**
   * The elements, a live view and no copy. The array of an output is emptied when its tensor is disposed,
   * so give asynchronous APIs a copy (`data.slice()`): they would go on reading the freed memory.
   * @throws {DisposedError} after disposal.
   * @throws {TypeError} for strings, and for memory on a device.
   */
  get data(): DataOf<D> {
    const bytes = this.bytes;
    const given = this.#given;
    const fits = given !== undefined && holds(this.dtype, given);
    this.#data ??= fits ? given : viewOf(this.dtype, bytes);
    return this.#data as DataOf<D>;
  }

  /** The elements' bytes, under the same conditions as {@linkcode Tensor.data}. */
  get bytes(): Uint8Array {
    const pointer = this.#handle.pointer;
    return this.#bytes ??= this.#given === undefined
      ? this.#view(pointer)
      : new Uint8Array(this.#given.buffer, this.#given.byteOffset, this.#given.byteLength);
  }

  /**
   * A copy of the elements of a string tensor.
   * @throws {TypeError} if the dtype is not string.
   */
  strings(): string[] {
    const pointer = this.#handle.pointer;
    if (this.dtype !== "string") {
      throw new TypeError(`Cannot read strings: the tensor's dtype is ${this.dtype}. Use data.`);
    }
    return readStrings(this.#native, pointer, this.size);
  }

  /** Whether it was disposed. */
  get disposed(): boolean {
    return this.#handle.disposed;
  }

  /**
   * The native value, checked for use by a run of `native`.
   * @internal
   */
  use(native: Native): Resource {
    void this.#handle.pointer;
    if (native !== this.#native) {
      throw new TypeError(
        "Cannot use the tensor: it belongs to another ONNX Runtime. Make it with the session's runtime.",
      );
    }
    if (this.#given !== undefined && this.#given.byteLength !== this.byteLength) {
      throw new TypeError(
        "Cannot use the tensor: its array's buffer was transferred away. Keep it.",
      );
    }
    return this.#handle.resource;
  }

  /**
   * Whether it surely shares memory with the other.
   * @internal
   */
  overlaps(other: Tensor): boolean {
    const a = this.#given ?? this.#bytes, b = other.#given ?? other.#bytes;
    if (this as Tensor === other || a === undefined || b === undefined) {
      return this as Tensor === other;
    }
    return a.buffer === b.buffer && a.byteOffset < b.byteOffset + b.byteLength &&
      b.byteOffset < a.byteOffset + a.byteLength;
  }

  /** Ends the use of the tensor; more calls do nothing. */
  dispose(): void {
    // Detaching turns a view of freed memory into an empty array, which is the difference between
    // reading undefined and a crash.
    const buffer = this.#given === undefined ? this.#bytes?.buffer : undefined;
    if (buffer instanceof ArrayBuffer && !buffer.detached) buffer.transfer(0);
    this.#handle.dispose();
  }

  /** The same as {@linkcode Tensor.dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  static #over<D extends DType>(
    { native }: Runtime,
    dtype: D,
    data: TypedArray,
    shape: readonly number[],
  ): Tensor<D> {
    const pointer = valueOver(native, dtype, data, shape);
    // The array may itself be a view of another tensor's memory.
    const owner = owners.get(data.buffer);
    const handle = native.own("Tensor", pointer, "ReleaseValue", {
      needs: [native.environment, ...(owner === undefined ? [] : [owner.#handle.resource])],
      keeps: data,
    });
    return new Tensor(native, handle, dtype, Object.freeze([...shape]), data);
  }

  #view(value: Deno.PointerObject): Uint8Array {
    if (this.dtype === "string") {
      throw new TypeError(
        "Cannot view strings as bytes: the tensor's dtype is string. Use strings().",
      );
    }
    const buffer = memoryOf(this.#native, value, this.byteLength);
    owners.set(buffer, this);
    return new Uint8Array(buffer);
  }
}

function kindOf(data: unknown): string {
  return data === null || typeof data !== "object" ? typeof data : data.constructor.name;
}
