import { BYTES_PER_ELEMENT, tensorByteLength } from "./stored_tensor.ts";
import type { StoredDType, StoredTensor } from "./stored_tensor.ts";
import { pieces } from "./read.ts";

/** A tensor whose bytes are made while they are written, piece by piece. */
export interface GeneratedTensor {
  /** Name in the file. */
  readonly name: string;
  /** Type of the elements. */
  readonly dtype: StoredDType;
  /** Sizes, outermost first. */
  readonly shape: readonly number[];
  /** All bytes in order, little-endian; a piece may be overwritten once the next is asked for. */
  generate(): Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

/**
 * Writes a `.safetensors` file with bounded memory: beside `path` first, then renamed over it, so
 * that no reader ever sees half of it. The order of the bytes is that of the reference
 * implementation (wide dtypes first, then by name): equal tensors give equal files.
 * Throws TypeError for a repeated or reserved name, RangeError for bytes that don't fill a shape.
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<StoredTensor | GeneratedTensor>,
  options: { metadata?: Readonly<Record<string, string>> } = {},
): Promise<void> {
  const ordered = inFileOrder(tensors);
  const header = encodeHeader(ordered, options.metadata ?? {});
  const beside = `${path}.${crypto.randomUUID()}.tmp`;
  try {
    {
      using file = await Deno.open(beside, { write: true, createNew: true });
      await writeAll(file, header);
      for (const tensor of ordered) await writeTensor(file, tensor);
      await file.syncData();
    }
    await Deno.rename(beside, path);
  } catch (error) {
    await Deno.remove(beside).catch(() => {}); // The first error is the one to report.
    throw error;
  }
}

function inFileOrder<T extends StoredTensor | GeneratedTensor>(tensors: Iterable<T>): T[] {
  const byName = new Map<string, T>();
  for (const tensor of tensors) {
    if (tensor.name === "__metadata__" || byName.has(tensor.name)) {
      throw new TypeError(
        `Cannot write tensor ${tensor.name}: the name is ${
          byName.has(tensor.name) ? "there twice" : "reserved by the format"
        }.`,
      );
    }
    byName.set(tensor.name, tensor);
  }
  const width = (tensor: T) => BYTES_PER_ELEMENT[tensor.dtype];
  return [...byName.values()].sort((a, b) =>
    width(b) - width(a) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
  );
}

/** The header of a file of `tensors` in this order, with the eight bytes of its length. */
export function encodeHeader(
  tensors: readonly (StoredTensor | GeneratedTensor)[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const entries: [string, unknown][] = [];
  const keys = Object.keys(metadata).sort();
  if (keys.length > 0) {
    entries.push(["__metadata__", Object.fromEntries(keys.map((key) => [key, metadata[key]]))]);
  }
  let at = 0;
  for (const { name, dtype, shape } of tensors) {
    const end = at + tensorByteLength(dtype, shape);
    entries.push([name, { dtype, shape, data_offsets: [at, end] }]);
    at = end;
  }
  // Not through one object: integer-like names would be moved to its front.
  const body = entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
  const json = new TextEncoder().encode(`{${body.join(",")}}`);
  // Spaces up to a multiple of 8 keep the first tensor, hence all of them, aligned.
  const bytes = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(bytes.length - 8), true);
  bytes.set(json, 8);
  return bytes;
}

async function writeTensor(
  file: Deno.FsFile,
  tensor: StoredTensor | GeneratedTensor,
): Promise<void> {
  let written = 0;
  for await (const bytes of "generate" in tensor ? tensor.generate() : stored(tensor)) {
    await writeAll(file, bytes);
    written += bytes.length;
  }
  const expected = tensorByteLength(tensor.dtype, tensor.shape);
  if (written !== expected) {
    throw new RangeError(
      `Cannot write tensor ${tensor.name}: its bytes do not fill ${tensor.dtype}[${tensor.shape}]; ` +
        `got ${written}, expected ${expected}.`,
    );
  }
}

async function* stored(tensor: StoredTensor): AsyncGenerator<Uint8Array> {
  for await (const { bytes } of pieces(tensor)) yield bytes;
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
}
