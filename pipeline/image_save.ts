import { ImageError } from "./image_error.ts";

/** A file that is being written beside its place; disposed before it was kept, it leaves nothing. */
export interface WholeFile extends AsyncDisposable {
  /** Appends all of `bytes`. */
  write(bytes: Uint8Array): Promise<void>;
  /** Puts the file in its place, replacing an older one. */
  keep(): Promise<void>;
}

/**
 * Opens a file that will be there whole or not at all: it is written beside its place, then renamed.
 *
 * Throws an ImageError, then and in its methods, if the folder is missing or read-only, or the disk
 * is full.
 */
export async function openWhole(path: string): Promise<WholeFile> {
  const beside = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  const options = { write: true, createNew: true };
  const file = await orRefuse(path, Deno.open(beside, options));
  let isOpen = true, isKept = false;
  const closeFile = () => {
    if (isOpen) file.close();
    isOpen = false;
  };
  return {
    async write(bytes) {
      for (let at = 0; at < bytes.length;) {
        at += await orRefuse(path, file.write(bytes.subarray(at)));
      }
    },
    async keep() {
      closeFile();
      await orRefuse(path, Deno.rename(beside, path));
      isKept = true;
    },
    async [Symbol.asyncDispose]() {
      closeFile();
      // Its failure would hide the one that is being reported.
      if (!isKept) await Deno.remove(beside).catch(() => {});
    },
  };
}

/**
 * Writes a file so that it is there whole or not at all.
 *
 * Throws an ImageError if the folder is missing or read-only, or the disk is full.
 */
export async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  await using file = await openWhole(path);
  await file.write(bytes);
  await file.keep();
}

async function orRefuse<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotCapable) throw cause; // says which permission is missing
    const why = cause instanceof Error
      ? cause.message.replace(/[:,] (open|write|rename).*$/s, "")
      : cause;
    throw new ImageError(
      `Cannot save ${path}: ${why}. Check that the folder exists and can be written.`,
      path,
      { cause },
    );
  }
}
