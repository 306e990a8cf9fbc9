import { ORT_API } from "./api_table.ts";
import { LibraryVersionError } from "./errors.ts";

type Entry = (typeof ORT_API)[number];

/** What a caller passes for each foreign parameter type. */
interface ArgumentOf {
  pointer: Deno.PointerValue;
  buffer: BufferSource | null;
  usize: number | bigint;
  i64: number | bigint;
  u32: number;
  i32: number;
  bool: boolean;
}

/** What a caller gets for each foreign result type. */
interface ResultOf {
  pointer: Deno.PointerValue;
  usize: bigint;
  i64: bigint;
  u32: number;
  i32: number;
  bool: boolean;
  void: void;
}

type Arguments<P extends readonly (keyof ArgumentOf)[]> = {
  -readonly [I in keyof P]: ArgumentOf[P[I]];
};

/** ONNX Runtime's C functions by header name; the only way from this folder into the library. */
export type OrtApi = {
  readonly [E in Entry as E[0]]: (...args: Arguments<E[1]>) => ResultOf[E[2]];
};

/** The same functions on one of Deno's worker threads: each returns a promise. */
export type OrtApiNonblocking = {
  readonly [N in keyof OrtApi]: (...args: Parameters<OrtApi[N]>) => Promise<ReturnType<OrtApi[N]>>;
};

/**
 * The oldest ONNX Runtime minor version (1.x) that this folder works with: 1.22 lists devices, and takes
 * external weights for a model given as bytes.
 */
export const OLDEST_MINOR = 22;

/** The API version (1.x) of the header that the table was made from. */
export const NEWEST_MINOR = 31;

/**
 * How many functions a library of version 1.x has: reading beyond the end of the table is a crash. From
 * the static_asserts at the end of onnxruntime_c_api.cc; 1.24's tail moved before its release, so it
 * counts as usable only from 1.25 on.
 */
const TABLE_LENGTHS: readonly (readonly [minor: number, length: number])[] = [
  [22, 318],
  [23, 390],
  [24, 404],
  [25, 414],
  [29, 425],
  [30, 426],
  [31, 428],
];

/** The number of functions that a library of version 1.`minor` surely has. */
export function tableLength(minor: number): number {
  return TABLE_LENGTHS.findLast(([since]) => since <= minor)?.[1] ?? 0;
}

/** Binds the functions lazily: a function costs nothing until its first call. */
export function bindApi(table: Deno.PointerObject, version: string, path: string): OrtApi {
  return bind(table, version, path, false) as OrtApi;
}

/** Binds the nonblocking form of the functions, lazily too. */
export function bindNonblocking(
  table: Deno.PointerObject,
  version: string,
  path: string,
): OrtApiNonblocking {
  return bind(table, version, path, true) as OrtApiNonblocking;
}

type Typed = Deno.PointerObject<Deno.ForeignFunction>;

function bind(table: Deno.PointerObject, version: string, path: string, nonblocking: boolean) {
  const slots = new Deno.UnsafePointerView(table);
  const length = tableLength(minorOf(version));
  const api = {};
  ORT_API.forEach(([name, parameters, result], index) => {
    Object.defineProperty(api, name, {
      configurable: true,
      enumerable: true,
      get() {
        const slot = index < length ? slots.getPointer(index * 8) : null;
        if (slot === null) throw new LibraryVersionError(path, version, since(index), name);
        const signature: Deno.ForeignFunction = { parameters, result, nonblocking };
        const target = new Deno.UnsafeFnPointer(slot as Typed, signature);
        const value = target.call.bind(target);
        Object.defineProperty(api, name, { value, enumerable: true });
        return value;
      },
    });
  });
  return api;
}

function since(index: number): string {
  const minor = TABLE_LENGTHS.find(([, length]) => index < length)?.[0] ?? NEWEST_MINOR;
  return `1.${minor}`;
}

/** The x of a version string `1.x.y`; NaN when it is not one. */
export function minorOf(version: string): number {
  const match = /^1\.(\d+)\b/.exec(version);
  return match?.[1] === undefined ? NaN : Number(match[1]);
}
