const encoder = new TextEncoder();

/**
 * Text as C expects it: UTF-8 with a closing zero.
 * @throws {TypeError} if it is no text, or holds a zero character, which C would take for its end.
 */
export function cstring(text: string): Uint8Array<ArrayBuffer> {
  if (typeof text !== "string") {
    throw new TypeError(`Cannot pass ${text} to ONNX Runtime: got ${typeof text}, expected text.`);
  }
  if (text.includes("\0")) {
    throw new TypeError(
      `Cannot pass ${
        JSON.stringify(text)
      } to ONNX Runtime: it contains a zero character. Remove it.`,
    );
  }
  return encoder.encode(text + "\0") as Uint8Array<ArrayBuffer>;
}

/** A path as `ORTCHAR_T*`: UTF-16 on Windows, UTF-8 elsewhere. */
export function cpath(path: string, os: string = Deno.build.os): Uint8Array<ArrayBuffer> {
  const bytes = cstring(path);
  if (os !== "windows") return bytes;
  const units = Uint16Array.from(path + "\0", (unit) => unit.charCodeAt(0));
  return new Uint8Array(units.buffer);
}

/** The C string at `pointer`; empty for a null pointer. */
export function textAt(pointer: Deno.PointerValue): string {
  return pointer === null ? "" : Deno.UnsafePointerView.getCString(pointer);
}

/** The pointer stored in one element of an out-parameter or pointer array. */
export function pointerIn(array: BigUint64Array, index = 0): Deno.PointerValue {
  return Deno.UnsafePointer.create(array[index] ?? 0n);
}

/** The address of a view's first byte; 0 for an empty view. */
export function addressOf(view: Uint8Array<ArrayBuffer> | BigUint64Array<ArrayBuffer>): bigint {
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(view));
}

/** The first `count` pointers of the C array at `pointer`. */
export function pointersAt(pointer: Deno.PointerValue, count: number): Deno.PointerObject[] {
  if (pointer === null || count === 0) return [];
  const view = new Deno.UnsafePointerView(pointer);
  const all = Array.from({ length: count }, (_, i) => view.getPointer(i * 8));
  return all.filter((each) => each !== null);
}

/**
 * C strings and the `char*` array over them. C sees only the array, so whoever passes `pointers` keeps
 * this object until the call has returned.
 */
export class CStrings {
  readonly pointers: BigUint64Array<ArrayBuffer>;
  readonly #texts: readonly Uint8Array<ArrayBuffer>[];

  constructor(texts: readonly string[]) {
    this.#texts = texts.map(cstring);
    this.pointers = BigUint64Array.from(this.#texts, addressOf);
  }

  /** How many there are. */
  get length(): number {
    return this.#texts.length;
  }
}
