import { brotliDecompressSync } from "node:zlib";
import { LibraryIntegrityError } from "./library_errors.ts";
import { type FileRecord, isRight, refuseStrangers, writeWhole } from "./library_files.ts";

/** ONNX Runtime as a compiled program carries it: its library, compressed. */
export interface PackedLibrary extends FileRecord {
  /** The library's version. */
  readonly version: string;
  /** The platform, such as `linux-x64`. */
  readonly platform: string;
  /** The name that the library is unpacked as. */
  readonly name: string;
  /** The compressed file's name in the package folder (Brotli). */
  readonly packed: string;
}

/** The folder within a cache: another version, platform or build gets another. */
export function unpackedFolder({ version, platform, sha256 }: PackedLibrary): string {
  return `onnxruntime/${version}-${platform}-${sha256.slice(0, 12)}`;
}

/**
 * Unpacks the library into the first of the folders that takes it, and gives its path. What is there
 * already is used only if its hash is right, and replaced otherwise. Processes that start together
 * each write a file of their own and rename it to the same place.
 *
 * @param source the compressed file.
 * @param folders cache folders in order of preference; a function may throw to say why not.
 * @throws {LibraryIntegrityError} if a foreign file lies beside the library.
 * @throws {Error} if no folder can be written.
 */
export function unpack(
  library: PackedLibrary,
  source: string,
  folders: readonly (() => string | undefined)[],
): string {
  const reasons: string[] = [];
  for (const folder of folders) {
    try {
      const cache = folder();
      if (cache !== undefined) return unpackInto(`${cache}/${unpackedFolder(library)}`);
    } catch (error) {
      if (error instanceof LibraryIntegrityError) throw error;
      reasons.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new Error(
    `Cannot unpack ONNX Runtime: no cache folder can be written: ${reasons.join("; ")}. ` +
      "Set LATENT_CACHE to a folder that can, or ORT_DYLIB_PATH to a library.",
  );

  function unpackInto(place: string): string {
    const path = `${place}/${library.name}`;
    if (!isRight(path, library)) {
      Deno.mkdirSync(place, { recursive: true, mode: 0o700 });
      replace(path);
    }
    refuseStrangers(place, new Set([library.name]));
    return path;
  }

  function replace(path: string): void {
    try {
      writeWhole(path, brotliDecompressSync(Deno.readFileSync(source)));
    } catch (error) {
      // Windows keeps a library's file while it is loaded: another process was first.
      if (!isRight(path, library)) throw error;
    }
    if (isRight(path, library)) return;
    throw new LibraryIntegrityError(path, "it is not what was written", "Look for a full disk.");
  }
}
