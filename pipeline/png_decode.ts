import { Buffer } from "node:buffer";
import { inflateSync } from "node:zlib";
import { ImageError } from "./image_error.ts";
import { type Pixels, rgbOf } from "./pixels.ts";
import { type PngChunk, pngChunks, pngFile } from "./png_chunks.ts";

/** What a decoder needs; other chunks, which may be large or odd, are kept from it. */
const PICTURE_CHUNKS = new Set(["IHDR", "PLTE", "tRNS", "IDAT", "IEND"]);

/** Samples of one pixel and their possible sizes, by PNG colour type (specification, table 11.1). */
const COLOR_TYPES: Readonly<Record<number, { samples: number; bits: readonly number[] }>> = {
  0: { samples: 1, bits: [1, 2, 4, 8, 16] },
  2: { samples: 3, bits: [8, 16] },
  3: { samples: 1, bits: [1, 2, 4, 8] },
  4: { samples: 2, bits: [8, 16] },
  6: { samples: 4, bits: [8, 16] },
};

/** What the IHDR chunk says. */
interface PngHeader {
  readonly width: number;
  readonly height: number;
  readonly hasAlpha: boolean;
  /** No picture of this header has more bytes of filtered rows, interlaced or not. */
  readonly mostBytes: number;
}

/** Width and height from the header alone. Throws an ImageError if there is no valid header. */
export function pngSize(bytes: Uint8Array, source: string): { width: number; height: number } {
  for (const chunk of pngChunks(bytes, source)) return parseHeader(chunk, source);
  throw damaged(source, "it has no header");
}

/**
 * Decodes any PNG by lodepng, compiled to WebAssembly: gray, RGB, palette, 1 to 16 bits,
 * interlaced; of an animation, the still picture.
 *
 * 16-bit samples lose their low byte, and colours marked transparent get alpha 0. The decoder is a
 * file in Deno's npm cache, which must be readable. Throws an ImageError if the PNG is damaged.
 */
export async function decodePng(bytes: Uint8Array, source: string): Promise<Pixels> {
  const chunks = [...pngChunks(bytes, source)].filter(({ type }) => PICTURE_CHUNKS.has(type));
  const header = parseHeader(chunks[0]!, source);
  requireBoundedData(chunks, header.mostBytes, source);
  const { default: lodepng } = await import("npm:@cwasm/lodepng@0.1.9");
  const hasAlpha = header.hasAlpha || chunks.some(({ type }) => type === "tRNS");
  try {
    const picture = pngFile(chunks.map(({ start, end }) => bytes.subarray(start, end)));
    const { width, height, data } = lodepng.decode(picture);
    const pixels: Pixels = { width, height, channels: 4, data };
    return hasAlpha ? pixels : { width, height, channels: 3, data: rgbOf(pixels) };
  } catch (cause) {
    throw damaged(source, "its pixels do not fit its header", cause);
  }
}

function parseHeader({ type, data }: PngChunk, source: string): PngHeader {
  if (type !== "IHDR" || data.length !== 13) {
    throw damaged(source, "the PNG file does not begin with its header");
  }
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const width = view.getUint32(0), height = view.getUint32(4);
  const bits = view.getUint8(8), color = view.getUint8(9);
  const kind = COLOR_TYPES[color];
  if (!kind?.bits.includes(bits)) {
    throw damaged(source, `PNG has no colour type ${color} with ${bits} bits`);
  }
  const rowBytes = Math.ceil(width * kind.samples * bits / 8);
  // Adam7 has at most two rows for each of the picture's and 7 more; each can round up by a byte.
  const mostBytes = rowBytes * height + 2 * (2 * height + 7);
  return { width, height, hasAlpha: color >= 4, mostBytes };
}

/** lodepng inflates without a limit; a small file could ask for all memory. */
function requireBoundedData(chunks: readonly PngChunk[], most: number, source: string): void {
  const data = chunks.filter(({ type }) => type === "IDAT").map(({ data }) => data);
  try {
    inflateSync(Buffer.concat(data), { maxOutputLength: most });
  } catch (cause) {
    throw damaged(source, "its pixel data is damaged, ends early or is too long", cause);
  }
}

function damaged(source: string, why: string, cause?: unknown): ImageError {
  const options = cause === undefined ? undefined : { cause };
  return new ImageError(
    `Cannot read ${source}: the PNG file is damaged: ${why}. Get the file again.`,
    source,
    options,
  );
}
