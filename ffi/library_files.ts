import { createHash } from "node:crypto";
import { LibraryIntegrityError } from "./library_errors.ts";

/** What a file must be. */
export interface FileRecord {
  /** Its length. */
  readonly bytes: number;
  /** SHA-256 of its contents, in hexadecimal. */
  readonly sha256: string;
}

const CHUNK = 1 << 20;

/** SHA-256 of a file, in hexadecimal; reads a megabyte at a time. */
export function sha256Of(path: string): string {
  using file = Deno.openSync(path);
  const hash = createHash("sha256"), chunk = new Uint8Array(CHUNK);
  for (let got = file.readSync(chunk); got !== null; got = file.readSync(chunk)) {
    hash.update(chunk.subarray(0, got));
  }
  return hash.digest("hex");
}

/** Whether `path` is a regular file, no link, with these contents. */
export function isRight(path: string, { bytes, sha256 }: FileRecord): boolean {
  try {
    const { isFile, size } = Deno.lstatSync(path);
    return isFile && size === bytes && sha256Of(path) === sha256;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Writes a file beside its place and renames it: no process ever sees half of it. */
export function writeWhole(path: string, contents: Uint8Array): void {
  const beside = `${folderOf(path)}/.${crypto.randomUUID()}.part`;
  try {
    Deno.writeFileSync(beside, contents, { createNew: true, mode: 0o700 });
    Deno.renameSync(beside, path);
  } catch (error) {
    removeIfThere(beside);
    throw error;
  }
}

/**
 * ONNX Runtime loads its providers from its own folder, by name: so nothing may lie there but what
 * was put there. Names that begin with a dot are files in the making.
 *
 * @throws {LibraryIntegrityError} for a file that is not among `names`.
 */
export function refuseStrangers(folder: string, names: ReadonlySet<string>): void {
  for (const { name } of Deno.readDirSync(folder)) {
    if (names.has(name) || name.startsWith(".")) continue;
    throw new LibraryIntegrityError(
      `${folder}/${name}`,
      "it lies in the folder of a library that it does not belong to",
      `Remove it, or the folder: it is made again.`,
    );
  }
}

/** The folder part of a path. */
export function folderOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")));
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
