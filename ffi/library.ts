import { bindApi, bindNonblocking, minorOf, NEWEST_MINOR, OLDEST_MINOR } from "./api.ts";
import type { OrtApi, OrtApiNonblocking } from "./api.ts";
import { candidates } from "./candidates.ts";
import {
  type LibraryAttempt,
  LibraryNotFoundError,
  LibraryVersionError,
  MissingSymbolError,
} from "./errors.ts";
import { textAt } from "./memory.ts";
import { packageFolder } from "./package.ts";

/** An opened ONNX Runtime. */
export interface Library {
  readonly path: string;
  readonly version: string;
  readonly api: OrtApi;
  readonly nonblocking: OrtApiNonblocking;
}

const BASE = { OrtGetApiBase: { parameters: [], result: "pointer" } } as const;
const GET_VERSION = { parameters: [], result: "pointer" } as const;
const GET_API = { parameters: ["u32"], result: "pointer" } as const;

/**
 * The paths to try on this machine.
 * @param option a path that the caller chose; then nothing else is looked at.
 */
export function libraryPaths(option?: string): string[] {
  if (option !== undefined && option !== "") return [option];
  const { os, arch } = Deno.build;
  return candidates({
    os: os === "windows" || os === "darwin" ? os : "linux",
    arch: arch === "aarch64" ? "arm64" : "x64",
    env: { ORT_DYLIB_PATH: Deno.env.get("ORT_DYLIB_PATH") },
    execPath: Deno.execPath(),
    packageFolder: packageFolder(),
  });
}

/**
 * Opens the first library that loads.
 * @throws {LibraryNotFoundError} if none does.
 * @throws {MissingSymbolError} if it is not ONNX Runtime.
 * @throws {LibraryVersionError} if it is too old.
 */
export function openLibrary(paths: readonly string[]): Library {
  const tried: LibraryAttempt[] = [];
  for (const path of paths) {
    // Opening it without symbols first tells a library that does not load from one that lacks them.
    let loaded: Deno.DynamicLibrary<Record<never, never>>;
    try {
      loaded = Deno.dlopen(path, {});
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) throw error;
      tried.push({ path, reason: error instanceof Error ? error.message : String(error) });
      continue;
    }
    try {
      return bindLibrary(path);
    } finally {
      loaded.close();
    }
  }
  throw new LibraryNotFoundError(tried);
}

/** It is never closed, once bound: threads of ONNX Runtime may run until the program ends. */
function bindLibrary(path: string): Library {
  const base = openBase(path);
  const pointers = new Deno.UnsafePointerView(base);
  const getVersion = pointers.getPointer(8), getApi = pointers.getPointer(0);
  if (getVersion === null || getApi === null) throw new MissingSymbolError(path, "GetApi");

  const version = textAt(
    new Deno.UnsafeFnPointer(getVersion as Deno.PointerObject<typeof GET_VERSION>, GET_VERSION)
      .call(),
  );
  const minor = minorOf(version);
  const oldest = `1.${OLDEST_MINOR}.0`;
  if (!(minor >= OLDEST_MINOR)) throw new LibraryVersionError(path, version, oldest);
  const table = new Deno.UnsafeFnPointer(getApi as Deno.PointerObject<typeof GET_API>, GET_API)
    .call(Math.min(minor, NEWEST_MINOR));
  if (table === null) throw new LibraryVersionError(path, version, oldest);
  return {
    path,
    version,
    api: bindApi(table, version, path),
    nonblocking: bindNonblocking(table, version, path),
  };
}

function openBase(path: string): Deno.PointerObject {
  let base: Deno.PointerValue;
  try {
    base = Deno.dlopen(path, BASE).symbols.OrtGetApiBase();
  } catch (cause) {
    throw new MissingSymbolError(path, "OrtGetApiBase", { cause });
  }
  if (base === null) throw new MissingSymbolError(path, "OrtApiBase");
  return base;
}
