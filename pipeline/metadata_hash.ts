import { createHash } from "node:crypto";

/** Hashes by path, size and time of the last change. */
const known = new Map<string, Promise<string>>();

/**
 * SHA-256 of a file, in hexadecimal; read once for each state of the file, in pieces, of whose bytes
 * `onBytes` is told.
 *
 * Some seconds for 4 GB. Rejects with Deno's error if the file cannot be read.
 */
export async function fileSha256(
  path: string,
  onBytes?: (count: number) => void,
): Promise<string> {
  const { size, mtime } = await Deno.stat(path);
  const key = `${path} ${size} ${mtime?.getTime()}`;
  const found = known.get(key);
  if (found) return await found;
  const hashing = hash(path, onBytes);
  known.set(key, hashing);
  hashing.catch(() => known.delete(key)); // a failure is told to those who wait, not remembered
  return await hashing;
}

async function hash(path: string, onBytes?: (count: number) => void): Promise<string> {
  using file = await Deno.open(path);
  const digest = createHash("sha256"), piece = new Uint8Array(2 ** 22);
  for (;;) {
    const count = await file.read(piece);
    if (count === null) return digest.digest("hex");
    digest.update(piece.subarray(0, count));
    onBytes?.(count);
  }
}
