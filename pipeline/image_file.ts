import { Buffer } from "node:buffer";
import { extname } from "node:path";
import { ImageError } from "./image_error.ts";
import { decodeJpeg, encodeJpeg, jpegHeader } from "./jpeg.ts";
import type { Pixels } from "./pixels.ts";
import { isPng } from "./png_chunks.ts";
import { decodePng, pngSize } from "./png_decode.ts";
import { encodePng } from "./png_encode.ts";
import { readPngText } from "./png_text.ts";
import { decodeWebp } from "./webp.ts";

/** Formats that pictures are written in. */
export type ImageFormat = "png" | "jpeg";

const EXTENSIONS: Readonly<Record<string, ImageFormat>> = {
  ".png": "png",
  ".jpg": "jpeg",
  ".jpeg": "jpeg",
};

/** Pixels on one side; more is a mistake or an attack rather than a picture. */
const LONGEST_SIDE = 30_000;

/** How files of other formats begin, to name them in the error. */
const OTHERS: readonly (readonly [name: string, offset: number, magic: string])[] = [
  ["GIF", 0, "GIF8"],
  ["BMP", 0, "BM"],
  ["TIFF", 0, "II*\0"],
  ["TIFF", 0, "MM\0*"],
  ["AVIF", 4, "ftypavif"],
  ["HEIC", 4, "ftypheic"],
  ["HEIC", 4, "ftypmif1"],
  ["JPEG XL", 0, "\xff\x0a"],
  ["JPEG XL", 4, "JXL "],
  ["PSD", 0, "8BPS"],
  ["SVG", 0, "<svg"],
  ["safetensors", 8, '{"'],
];

/** What a file holds. */
export interface DecodedImage {
  /** 8 bits a sample. */
  readonly pixels: Pixels;
  /** Texts by keyword: all of a PNG; of a JPEG, what `encodeImage` put there. */
  readonly text: Record<string, string>;
}

/**
 * Decodes a PNG, JPEG or WebP picture, told apart by its first bytes.
 *
 * Throws an ImageError that calls the picture `source` if it is empty, of another format, damaged,
 * incomplete, or more than 30,000 pixels wide or high.
 */
export async function decodeImage(bytes: Uint8Array, source: string): Promise<DecodedImage> {
  if (bytes.length === 0) throw new ImageError(`Cannot read ${source}: it is empty.`, source);
  if (isPng(bytes)) {
    requireSize(pngSize(bytes, source), source);
    const text = Object.fromEntries(readPngText(bytes, source));
    return { pixels: await decodePng(bytes, source), text };
  }
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) {
    const header = jpegHeader(bytes, source);
    requireSize(header, source);
    const { comment, texts } = header;
    const text = { ...(comment !== undefined && { parameters: comment }), ...texts };
    return { pixels: await decodeJpeg(bytes, source), text };
  }
  const start = Buffer.from(bytes.subarray(0, 16)).toString("latin1");
  if (start.startsWith("RIFF") && start.startsWith("WEBP", 8)) {
    const pixels = await decodeWebp(bytes, source);
    return { pixels, text: {} };
  }
  const other = OTHERS.find(([, offset, magic]) => start.startsWith(magic, offset));
  const what = other === undefined ? "it is not a picture" : `${other[0]} files are not supported`;
  throw new ImageError(
    `Cannot read ${source}: ${what}; expected PNG, JPEG or WebP. Convert it to PNG.`,
    source,
  );
}

function requireSize({ width, height }: { width: number; height: number }, source: string): void {
  if (width >= 1 && height >= 1 && width <= LONGEST_SIDE && height <= LONGEST_SIDE) return;
  throw new ImageError(
    `Cannot read ${source}: its size is out of bounds; got ${width} x ${height} pixels, expected ` +
      `1 to ${LONGEST_SIDE} a side. Scale it down.`,
    source,
  );
}

/** The format that a path's extension names; throws a TypeError for any other. */
export function formatOf(path: string): ImageFormat {
  const extension = extname(path).toLowerCase();
  const format = EXTENSIONS[extension];
  if (format !== undefined) return format;
  throw new TypeError(
    `Cannot save ${path}: pictures are written as ${Object.keys(EXTENSIONS).join(", ")}; got ` +
      `${extension === "" ? "no extension" : extension}.`,
  );
}

/**
 * Encodes pixels with their texts. A JPEG keeps `parameters` as its user comment and the
 * others, in 64 kB each, as comments.
 *
 * `quality` is JPEG's, 1 to 100, default 95. Throws a TypeError or RangeError for a text that the
 * format cannot keep.
 */
export function encodeImage(
  pixels: Pixels,
  format: ImageFormat,
  text: Readonly<Record<string, string>>,
  quality?: number,
): Promise<Uint8Array> {
  if (format === "png") return encodePng(pixels, text);
  const { parameters: comment, ...texts } = text;
  return encodeJpeg(pixels, {
    ...(quality === undefined ? {} : { quality }),
    ...(comment === undefined ? {} : { comment }),
    texts,
  });
}
