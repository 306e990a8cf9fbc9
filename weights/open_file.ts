import { ModelFormatError } from "./model_format_error.ts";

/** A regular file that is open for reading; `path` is absolute with symlinks resolved. */
export interface OpenFile extends Disposable {
  /** The real path. */
  readonly path: string;
  /** In bytes, when it was opened. */
  readonly size: number;
  /** Bytes `[offset, offset + length)`; throws ModelFormatError when the file ends before. */
  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
  /** The same into `target`, without a new array. */
  readInto(offset: number, target: Uint8Array<ArrayBuffer>): Promise<void>;
}

/**
 * Opens a file of weights through its real path, because ONNX Runtime refuses external data behind
 * a symlink (the Hugging Face cache: `snapshots/*` point into `blobs/*`).
 * Throws ModelFormatError when it is missing, unreadable, or a directory.
 */
export async function openFile(path: string): Promise<OpenFile> {
  try {
    const real = await Deno.realPath(path);
    const { size, isFile, isDirectory } = await Deno.stat(real);
    if (isDirectory) throw new TypeError("it is a directory");
    if (!isFile) throw new TypeError("it is not a regular file");
    return reader(real, size, await Deno.open(real, { read: true }));
  } catch (cause) {
    throw new ModelFormatError(`Cannot open ${path}: ${reason(cause)}.`, { path, cause });
  }
}

function reason(cause: unknown): string {
  if (cause instanceof Deno.errors.NotFound) return "no such file";
  if (cause instanceof Deno.errors.PermissionDenied) return "the system denies reading it";
  if (cause instanceof Deno.errors.NotCapable) return "Deno was run without --allow-read for it";
  return cause instanceof Error ? cause.message : String(cause);
}

function reader(path: string, size: number, file: Deno.FsFile): OpenFile {
  const readInto = async (offset: number, target: Uint8Array<ArrayBuffer>) => {
    await file.seek(offset, Deno.SeekMode.Start);
    for (let done = 0; done < target.length;) {
      const got = await file.read(target.subarray(done));
      if (got === null) throw truncated(path, size, offset, target.length);
      done += got;
    }
  };
  return {
    path,
    size,
    readInto,
    read: async (offset, length) => {
      // Asked before allocating: a length that lies must not take memory.
      if (offset + length > size) throw truncated(path, size, offset, length);
      const target = new Uint8Array(length);
      await readInto(offset, target);
      return target;
    },
    [Symbol.dispose]: () => file.close(),
  };
}

function truncated(path: string, size: number, offset: number, length: number): ModelFormatError {
  return new ModelFormatError(
    `Cannot read ${path}: the file is too short; got ${size} bytes, expected at least ` +
      `${offset + length}. Copy or download it again.`,
    { path },
  );
}
