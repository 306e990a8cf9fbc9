import { Buffer } from "node:buffer";
import { extname } from "node:path";
import { ImageError } from "./image_error.ts";
import { decodeJpeg, encodeJpeg, jpegHeader } from "./jpeg.ts";
import type { Pixels } from "./pixels.ts";
import { isPng } from "./png_chunks.ts";
import { decodePng, pngSize } from "./png_decode.ts";
import { encodePng } from "./png_encode.ts";
import { readPngText } from "./png_text.ts";
import { decodeWebp, webpSize } from "./webp.ts";

/** Formats that pictures are written in. */
export type ImageFormat = "png" | "jpeg";

const EXTENSIONS: Readonly<Record<string, ImageFormat>> = {
  ".png": "png",
  ".jpg": "jpeg",
  ".jpeg": "jpeg",
};

/** Pixels on one side; more is a mistake or an attack rather than a picture. */
const LONGEST_SIDE = 30_000;

/** Pixels altogether: more would take gigabytes. Pillow's limit, too. */
const MOST_PIXELS = 178_956_970;

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

/** What a file says without its pixels being decoded. */
export interface ImageTexts {
  /** Texts by keyword, as in {@linkcode DecodedImage}. */
  readonly text: Record<string, string>;
  /** Pixels in a row as stored; a JPEG's EXIF may turn them. */
  readonly width: number;
  /** Rows as stored. */
  readonly height: number;
}

/**
 * Reads the texts and the size of a PNG, JPEG or WebP picture (which has no texts), told apart by
 * its first bytes.
 *
 * Throws an ImageError that calls the picture `source` if it is empty, of another format, damaged
 * where the texts are, incomplete, or more than 30,000 pixels wide or high or 178 million in all.
 */
export function imageTexts(bytes: Uint8Array, source: string): ImageTexts {
  switch (kindOf(bytes, source)) {
    case "png": {
      const { width, height } = requireSize(pngSize(bytes, source), source);
      return { width, height, text: Object.fromEntries(readPngText(bytes, source)) };
    }
    case "jpeg": {
      const { width, height, comment, texts } = requireSize(jpegHeader(bytes, source), source);
      const text = { ...(comment !== undefined && { parameters: comment }), ...texts };
      return { width, height, text };
    }
    case "webp":
      return { ...requireSize(webpSize(bytes, source), source), text: {} };
  }
}

/**
 * Decodes a PNG, JPEG or WebP picture.
 *
 * Throws an ImageError as {@linkcode imageTexts} does, and if any part is damaged.
 */
export async function decodeImage(bytes: Uint8Array, source: string): Promise<DecodedImage> {
  const { text } = imageTexts(bytes, source);
  const decode = { png: decodePng, jpeg: decodeJpeg, webp: decodeWebp }[kindOf(bytes, source)];
  return { pixels: await decode(bytes, source), text };
}

/** The format by a file's first bytes; throws an ImageError for any other. */
function kindOf(bytes: Uint8Array, source: string): ImageFormat | "webp" {
  if (bytes.length === 0) throw new ImageError(`Cannot read ${source}: it is empty.`, source);
  if (isPng(bytes)) return "png";
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return "jpeg";
  const start = Buffer.from(bytes.subarray(0, 16)).toString("latin1");
  if (start.startsWith("RIFF") && start.startsWith("WEBP", 8)) return "webp";
  const other = OTHERS.find(([, offset, magic]) => start.startsWith(magic, offset));
  const what = other === undefined ? "it is not a picture" : `${other[0]} files are not supported`;
  throw new ImageError(
    `Cannot read ${source}: ${what}; expected PNG, JPEG or WebP. Convert it to PNG.`,
    source,
  );
}

function requireSize<T extends { width: number; height: number }>(header: T, source: string): T {
  const { width, height } = header;
  const fits = width >= 1 && height >= 1 && width <= LONGEST_SIDE && height <= LONGEST_SIDE;
  if (fits && width * height <= MOST_PIXELS) return header;
  throw new ImageError(
    `Cannot read ${source}: its size is out of bounds; got ${width} x ${height} pixels, expected ` +
      `1 to ${LONGEST_SIDE} a side, ${
        Math.floor(MOST_PIXELS / 1e6)
      } million in all. Scale it down.`,
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

/** The bytes of a file; throws an ImageError that says in one line why they cannot be had. */
export async function readImageFile(path: string | URL): Promise<Uint8Array> {
  try {
    return await Deno.readFile(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotCapable) throw cause; // says which permission is missing
    const why = cause instanceof Deno.errors.NotFound
      ? "there is no such file"
      : cause instanceof Deno.errors.IsADirectory
      ? "it is a folder; expected a picture"
      : cause instanceof Error
      ? cause.message
      : String(cause);
    throw new ImageError(`Cannot read ${path}: ${why}.`, String(path), { cause });
  }
}
