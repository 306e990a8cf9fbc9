import { Buffer } from "node:buffer";
import { inflateSync } from "node:zlib";
import { ImageError } from "./image_error.ts";
import { isPng, type PngChunk, pngChunk, pngChunks, pngFile } from "./png_chunks.ts";

const TEXT_TYPES = new Set(["tEXt", "zTXt", "iTXt"]);
/** A compressed text may grow to this many bytes; workflows of ComfyUI have about one million. */
const LONGEST_TEXT = 64 * 2 ** 20;
const NOTHING = new Uint8Array();
const ZERO = Uint8Array.of(0);

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

/** Splits at the first zero byte; the second part is undefined if there is none. */
function splitAtZero(bytes: Uint8Array): [Uint8Array, Uint8Array | undefined] {
  const at = bytes.indexOf(0);
  return at < 0 ? [bytes, undefined] : [bytes.subarray(0, at), bytes.subarray(at + 1)];
}

function inflateText(bytes: Uint8Array, keyword: string, source: string): Uint8Array {
  try {
    return inflateSync(bytes, { maxOutputLength: LONGEST_TEXT });
  } catch (cause) {
    throw new ImageError(
      `Cannot read the text ${
        JSON.stringify(keyword)
      } of ${source}: its compressed data is damaged.`,
      source,
      { cause },
    );
  }
}

/** The keyword and value of a tEXt, zTXt or iTXt chunk (PNG specification, 11.3.3). */
function parseText({ type, data }: PngChunk, source: string): [string, string] {
  const [key, rest = NOTHING] = splitAtZero(data);
  const keyword = latin1(key);
  if (type === "tEXt") return [keyword, latin1(rest)];
  if (type === "zTXt") return [keyword, latin1(inflateText(rest.subarray(1), keyword, source))];
  const isCompressed = rest[0] === 1;
  const [, afterLanguage = NOTHING] = splitAtZero(rest.subarray(2));
  const [, text = NOTHING] = splitAtZero(afterLanguage);
  const plain = isCompressed ? inflateText(text, keyword, source) : text;
  return [keyword, new TextDecoder().decode(plain)];
}

function assertPng(png: Uint8Array, source: string): void {
  if (isPng(png)) return;
  throw new ImageError(
    `Cannot find texts in ${source}: it is not a PNG file. Other formats carry none.`,
    source,
  );
}

/**
 * The texts of a PNG file by keyword, such as `parameters` (A1111), `prompt` and `workflow` (ComfyUI).
 *
 * Reads tEXt, zTXt and iTXt; of equal keywords the last counts. Throws an ImageError for a file that
 * is not a PNG or is damaged.
 */
export function readPngText(png: Uint8Array, source = "the picture"): Map<string, string> {
  assertPng(png, source);
  const texts = new Map<string, string>();
  for (const chunk of pngChunks(png, source)) {
    if (TEXT_TYPES.has(chunk.type)) texts.set(...parseText(chunk, source));
  }
  return texts;
}

/**
 * A text as a chunk: tEXt if Latin-1 can hold it, iTXt (UTF-8) otherwise, as Pillow chooses.
 *
 * Throws a TypeError for a keyword that PNG does not allow or a text with a zero character.
 */
export function pngTextChunk(keyword: string, text: string): Uint8Array {
  if (!/^(?! )(?!.* $)(?!.* {2})[\x20-\x7e\xa1-\xff]{1,79}$/.test(keyword)) {
    throw new TypeError(
      `Cannot add a PNG text: the keyword must be 1 to 79 Latin-1 characters without spaces at its ` +
        `ends or in a row; got ${JSON.stringify(keyword)}.`,
    );
  }
  if (text.includes("\0")) {
    throw new TypeError(
      `Cannot add the PNG text ${
        JSON.stringify(keyword)
      }: it has a zero character, which ends a text.`,
    );
  }
  const key = Buffer.from(keyword, "latin1");
  if (/^[\x00-\xff]*$/.test(text)) {
    return pngChunk("tEXt", key, ZERO, Buffer.from(text, "latin1"));
  }
  // Zeros: end of keyword, not compressed, method, no language, no translated keyword.
  return pngChunk("iTXt", key, new Uint8Array(5), new TextEncoder().encode(text));
}

/**
 * A PNG file with these texts added, its pixels untouched; texts with the same keywords are replaced.
 *
 * Throws a TypeError as {@linkcode pngTextChunk} does and an ImageError for a damaged file.
 */
export function addPngText(
  png: Uint8Array,
  texts: Readonly<Record<string, string>>,
  source = "the picture",
): Uint8Array {
  assertPng(png, source);
  const added = Object.entries(texts).map(([keyword, text]) => pngTextChunk(keyword, text));
  const out: Uint8Array[] = [];
  for (const chunk of pngChunks(png, source)) {
    const isReplaced = TEXT_TYPES.has(chunk.type) &&
      Object.hasOwn(texts, latin1(splitAtZero(chunk.data)[0]));
    if (!isReplaced) out.push(png.subarray(chunk.start, chunk.end));
    if (chunk.type === "IHDR") out.push(...added); // where Pillow has them, too
  }
  return pngFile(out);
}
