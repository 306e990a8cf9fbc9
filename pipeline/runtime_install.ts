/**
 * ONNX Runtimes side by side: copied out of packages that users have, each in a folder of its own.
 *
 * @module
 */

import { basename, join, resolve } from "node:path";
import { ownCacheFolder, ownSystem } from "../ffi/library_folders.ts";
import { type FileRecord, sha256Of } from "../ffi/library_files.ts";
import {
  checkInstalled,
  type InstalledRuntime,
  installedRuntimes,
  libraryOf,
  RECORD_NAME,
  storeFolder,
} from "../ffi/library_store.ts";
import type { LibraryReport } from "./library_report.ts";
import { type PackageFile, packageFiles } from "./runtime_archive.ts";
import { RuntimeInstallError } from "./runtime_install_error.ts";

/** Loads a library and tells its version; in another process, for it may be broken. */
export type LibraryProbe = (path: string) => Promise<LibraryReport>;

/** The main library's file names. */
const MAIN = {
  linux: /^libonnxruntime\.so(?:\.\d+)*$/,
  darwin: /^libonnxruntime(?:\.\d+)*\.dylib$/,
  windows: /^onnxruntime\.dll$/i,
} as const;

/** What may lie beside it and be needed: shared libraries, but for the bindings of Python and Node. */
const SHARED = { linux: /\.so(?:\.\d+)*$/, darwin: /\.dylib$/, windows: /\.dll$/i } as const;
const BINDING = /pybind11_state|\.node$/;

/** Parts of paths by which npm packages keep platforms apart. */
const PLATFORM_PART = /(?:^|\/)(linux|darwin|win32)\/(x64|arm64)\//;

/** Providers by the files that bring them; the name's second half. */
const FLAVORS: readonly (readonly [RegExp, string])[] = [
  [/providers_cuda/, "cuda"],
  [/providers_openvino/, "openvino"],
  [/providers_migraphx|providers_rocm/, "rocm"],
];

/** The installed runtimes, the one that is used first; with `check`, every file is hashed. */
export function listRuntimes(
  cache: string | undefined = ownCacheFolder(),
): (InstalledRuntime & { readonly path: string })[] {
  if (cache === undefined) return [];
  return installedRuntimes(cache).map((runtime) => ({
    ...runtime,
    path: libraryOf(cache, runtime),
  }));
}

/** Hashes every file of an installed runtime. @throws {LibraryIntegrityError} */
export function verifyRuntime(path: string): void {
  checkInstalled(path, { whole: true });
}

/**
 * Installs the ONNX Runtime of a package: folder, wheel, zip or npm tarball.
 *
 * @param probe loads the copy, and so refuses versions that the program cannot work with.
 * @throws {RuntimeInstallError} if there is none for this platform, or it does not load.
 */
export async function installRuntime(
  source: string,
  probe: LibraryProbe,
  cache: string | undefined = ownCacheFolder(),
): Promise<InstalledRuntime> {
  if (cache === undefined) throw new RuntimeInstallError(source, "there is no cache folder");
  const main = await mainLibrary(source), os = ownSystem();
  const folderInside = main.slice(0, -basename(main).length);
  const store = storeFolder(cache);
  // Beside the store, in which a library without its record is refused.
  const staging = join(cache, `.${crypto.randomUUID()}.part`);
  await Deno.mkdir(store, { recursive: true, mode: 0o700 });
  await Deno.mkdir(staging, { recursive: true, mode: 0o700 });
  try {
    const files: Record<string, FileRecord> = {};
    for await (const file of packageFiles(source)) {
      const name = basename(file.name);
      const isBeside = file.name === folderInside + name;
      if (isBeside && SHARED[os].test(name) && !BINDING.test(name)) {
        files[name] = await copyOut(source, file, join(staging, name));
      }
    }
    const library = basename(main);
    const { version, builtWith } = await tried(source, join(staging, library), probe);
    const record: InstalledRuntime = {
      name: `${version}-${flavorOf(Object.keys(files))}`,
      version,
      providers: builtWith,
      installed: new Date().toISOString(),
      source: resolve(source),
      library,
      files,
    };
    await Deno.writeTextFile(join(staging, RECORD_NAME), JSON.stringify(record, null, 2));
    await replace(staging, join(store, record.name));
    return record;
  } catch (error) {
    await Deno.remove(staging, { recursive: true }).catch(() => {});
    throw error;
  }
}

/** Removes an installed runtime. @throws {RangeError} that lists those that there are. */
export async function removeRuntime(
  name: string,
  cache: string | undefined = ownCacheFolder(),
): Promise<void> {
  const known = listRuntimes(cache).map((runtime) => runtime.name);
  if (cache === undefined || !known.includes(name)) {
    const list = known.join(", ") || "none";
    throw new RangeError(`Cannot remove the runtime ${JSON.stringify(name)}: installed: ${list}.`);
  }
  await Deno.remove(join(storeFolder(cache), name), { recursive: true });
}

/** The path of the main library for this platform within a package. */
async function mainLibrary(source: string): Promise<string> {
  const os = ownSystem(), arch = Deno.build.arch === "aarch64" ? "arm64" : "x64";
  const here = `${os === "windows" ? "win32" : os}/${arch}`;
  const others: string[] = [];
  let found: string | undefined;
  for await (const { name } of packageFiles(source)) {
    const file = basename(name), platform = PLATFORM_PART.exec(name);
    const isHere = platform === null || `${platform[1]}/${platform[2]}` === here;
    if (isHere && MAIN[os].test(file)) {
      // A link's target and the link are the same library: the longer name says more.
      if (found === undefined || file.length > basename(found).length) found = name;
    } else if (Object.values(MAIN).some((pattern) => pattern.test(file))) others.push(name);
  }
  if (found !== undefined) return found;
  throw new RuntimeInstallError(
    source,
    others.length > 0
      ? `it is for another platform: got ${others[0]}, expected one for ${here}`
      : "it holds no ONNX Runtime library",
  );
}

async function copyOut(source: string, file: PackageFile, place: string): Promise<FileRecord> {
  const out = await Deno.open(place, { write: true, createNew: true, mode: 0o700 });
  await file.content().pipeTo(out.writable);
  const { size } = await Deno.stat(place);
  if (size === file.size) return { bytes: size, sha256: sha256Of(place) };
  throw new RuntimeInstallError(
    source,
    `${file.name} is damaged: got ${size} of ${file.size} bytes`,
  );
}

async function tried(source: string, path: string, probe: LibraryProbe): Promise<LibraryReport> {
  try {
    return await probe(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new RuntimeInstallError(source, `its library does not load (${reason})`, { cause });
  }
}

function flavorOf(names: readonly string[]): string {
  return FLAVORS.find(([file]) => names.some((name) => file.test(name)))?.[1] ?? "cpu";
}

/** The same version again takes the old one's place. */
async function replace(staging: string, place: string): Promise<void> {
  await Deno.remove(place, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  await Deno.rename(staging, place);
}
