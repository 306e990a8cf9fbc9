import { Buffer } from "node:buffer";
import { crc32 } from "node:zlib";
import { ImageError } from "./image_error.ts";

/** The eight bytes that every PNG file begins with. */
const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

/** One chunk of a PNG file. */
export interface PngChunk {
  /** Four letters, such as "IDAT". */
  readonly type: string;
  /** What the chunk holds, without its length, type and CRC. */
  readonly data: Uint8Array;
  /** Where the chunk begins in the file, at its length. */
  readonly start: number;
  /** Where the chunk ends in the file, behind its CRC. */
  readonly end: number;
}

/** Whether the bytes begin like a PNG file. */
export function isPng(bytes: Uint8Array): boolean {
  return SIGNATURE.every((byte, i) => bytes[i] === byte);
}

/**
 * The chunks of a PNG file up to IEND, as views into `bytes`.
 *
 * Throws an ImageError that mentions `source` if the file ends early or a CRC does not match.
 */
export function* pngChunks(bytes: Uint8Array, source: string): Generator<PngChunk> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let start = SIGNATURE.length;
  while (start + 12 <= bytes.length) {
    const end = start + 12 + view.getUint32(start);
    if (end > bytes.length) break;
    const type = Buffer.from(bytes.subarray(start + 4, start + 8)).toString("latin1");
    if (crc32(bytes.subarray(start + 4, end - 4)) !== view.getUint32(end - 4)) {
      throw new ImageError(
        `Cannot read ${source}: its PNG chunk ${
          JSON.stringify(type)
        } is damaged (the CRC differs). ` +
          `Get the file again.`,
        source,
      );
    }
    yield { type, data: bytes.subarray(start + 8, end - 4), start, end };
    if (type === "IEND") return;
    start = end;
  }
  throw new ImageError(
    `Cannot read ${source}: the PNG file ends early; got ${bytes.length} bytes without its end ` +
      `mark. Get the file again.`,
    source,
  );
}

/** A chunk as bytes: length, type, data and CRC. */
export function pngChunk(type: string, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const out = new Uint8Array(length + 12);
  const view = new DataView(out.buffer);
  view.setUint32(0, length);
  let at = 8;
  out.set(Buffer.from(type, "latin1"), 4);
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  view.setUint32(at, crc32(out.subarray(4, at)));
  return out;
}

/** A PNG file of the given chunks. */
export function pngFile(chunks: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat([SIGNATURE, ...chunks]));
}
