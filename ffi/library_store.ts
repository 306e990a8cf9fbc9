import { LibraryIntegrityError } from "./library_errors.ts";
import { type FileRecord, folderOf, refuseStrangers, sha256Of } from "./library_files.ts";

/** An ONNX Runtime that `latent runtime install` put into the cache. */
export interface InstalledRuntime {
  /** Its folder's name, such as `1.31.1-cuda`. */
  readonly name: string;
  /** The library's version. */
  readonly version: string;
  /** The providers that the library was built with, by ONNX Runtime's names. */
  readonly providers: readonly string[];
  /** When it was installed, ISO 8601: the latest is used. */
  readonly installed: string;
  /** What it was installed from. */
  readonly source: string;
  /** The main library's file name. */
  readonly library: string;
  /** Every file by name. */
  readonly files: Readonly<Record<string, FileRecord>>;
}

/** The record's name in a runtime's folder. */
export const RECORD_NAME = "runtime.json";

/** Where runtimes are installed. */
export function storeFolder(cache: string): string {
  return `${cache}/runtimes`;
}

/** The path of an installed runtime's library. */
export function libraryOf(cache: string, { name, library }: InstalledRuntime): string {
  return `${storeFolder(cache)}/${name}/${library}`;
}

/** The installed runtimes, latest first. Folders without a record are none. */
export function installedRuntimes(cache: string): InstalledRuntime[] {
  const found: InstalledRuntime[] = [];
  for (const { name, isDirectory } of entriesOf(storeFolder(cache))) {
    if (!isDirectory || name.startsWith(".")) continue;
    const record = readRecord(`${storeFolder(cache)}/${name}`);
    if (record !== undefined) found.push({ ...record, name });
  }
  return found.sort((a, b) => b.installed.localeCompare(a.installed));
}

/**
 * Checks an installed runtime before it is loaded: the library by its hash, what lies beside it by
 * name and length (a CUDA provider has hundreds of megabytes); `whole` hashes that as well.
 *
 * @throws {LibraryIntegrityError} that names the file at fault.
 */
export function checkInstalled(path: string, options: { whole?: boolean } = {}): void {
  const folder = folderOf(path), record = readRecord(folder);
  const remedy = "Install the runtime again, or remove it: latent runtime remove NAME.";
  if (record === undefined) throw new LibraryIntegrityError(path, "its record is gone", remedy);
  for (const [name, { bytes, sha256 }] of Object.entries(record.files)) {
    const file = `${folder}/${name}`;
    const size = sizeOf(file);
    if (size !== bytes) {
      const got = size === undefined ? "it is gone" : `got ${size} bytes, expected ${bytes}`;
      throw new LibraryIntegrityError(file, got, remedy);
    }
    if ((options.whole || name === record.library) && sha256Of(file) !== sha256) {
      throw new LibraryIntegrityError(file, "it has changed since it was installed", remedy);
    }
  }
  refuseStrangers(folder, new Set([RECORD_NAME, ...Object.keys(record.files)]));
}

function readRecord(folder: string): InstalledRuntime | undefined {
  try {
    return JSON.parse(Deno.readTextFileSync(`${folder}/${RECORD_NAME}`)) as InstalledRuntime;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    if (!(error instanceof SyntaxError)) throw error;
    throw new LibraryIntegrityError(
      `${folder}/${RECORD_NAME}`,
      "it is not JSON",
      `Remove the folder ${folder}.`,
      { cause: error },
    );
  }
}

function entriesOf(folder: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(folder)];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function sizeOf(path: string): number | undefined {
  try {
    const { isFile, size } = Deno.lstatSync(path);
    return isFile ? size : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
