import { bindApi, bindNonblocking, minorOf, NEWEST_MINOR, OLDEST_MINOR } from "./api.ts";
import type { OrtApi, OrtApiNonblocking } from "./api.ts";
import { candidates } from "./candidates.ts";
import {
  type LibraryAttempt,
  LibraryNotFoundError,
  LibraryVersionError,
  MissingSymbolError,
} from "./errors.ts";
import { ownCacheFolder, ownSystem, privateFolder } from "./library_folders.ts";
import { checkInstalled, installedRuntimes, libraryOf, storeFolder } from "./library_store.ts";
import { unpack, unpackedFolder } from "./library_unpack.ts";
import { textAt } from "./memory.ts";
import { packageFolder, PACKED } from "./package.ts";

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
 * The paths to try on this machine. Nothing is written or loaded.
 * @param option a path that the caller chose; then nothing else is looked at.
 */
export function libraryPaths(option?: string): string[] {
  if (option !== undefined && option !== "") return [option];
  const env = { ORT_DYLIB_PATH: Deno.env.get("ORT_DYLIB_PATH") };
  if (env.ORT_DYLIB_PATH) return [env.ORT_DYLIB_PATH];
  const cache = ownCacheFolder();
  return candidates({
    os: ownSystem(),
    arch: Deno.build.arch === "aarch64" ? "arm64" : "x64",
    env,
    execPath: Deno.execPath(),
    installed: cache === undefined
      ? []
      : installedRuntimes(cache).map((runtime) => libraryOf(cache, runtime)),
    unpacked: PACKED && `${cache ?? temporaryFolder()}/${unpackedFolder(PACKED)}/${PACKED.name}`,
    packageFolder: packageFolder(),
  });
}

/**
 * Makes sure that what lies at a path in the cache is what was put there, and unpacks the program's own
 * library where it is missing. Paths elsewhere are the user's own and pass.
 *
 * @returns the path to load.
 * @throws {LibraryIntegrityError} for a foreign or damaged file.
 */
export function admitted(path: string): string {
  if (PACKED !== undefined && path.endsWith(`/${unpackedFolder(PACKED)}/${PACKED.name}`)) {
    const folders = [ownCacheFolder, () => privateFolder(temporaryFolder())];
    return unpack(PACKED, `${packageFolder()}/${PACKED.packed}`, folders);
  }
  if (!path.includes("/runtimes/")) return path;
  const cache = ownCacheFolder();
  if (cache !== undefined && path.startsWith(`${storeFolder(cache)}/`)) checkInstalled(path);
  return path;
}

function temporaryFolder(): string {
  if (Deno.build.os === "windows") return Deno.env.get("TEMP") ?? "C:\\Windows\\Temp";
  return Deno.env.get("TMPDIR") ?? "/tmp";
}

/**
 * Opens the first library that loads.
 * @throws {LibraryNotFoundError} if none does.
 * @throws {MissingSymbolError} if it is not ONNX Runtime.
 * @throws {LibraryVersionError} if it is too old or too new.
 * @throws {LibraryIntegrityError} if it lies in the cache and is not what was put there.
 */
export function openLibrary(paths: readonly string[]): Library {
  const tried: LibraryAttempt[] = [];
  for (const candidate of paths) {
    const path = admitted(candidate);
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
  if (Number(version.split(".")[0]) > 1) {
    throw new LibraryVersionError(path, version, "1.x", "this program", "new");
  }
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
