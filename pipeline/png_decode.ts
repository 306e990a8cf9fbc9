import { Buffer } from "node:buffer";
import { inflateSync } from "node:zlib";
import { ImageError } from "./image_error.ts";
import type { Pixels } from "./pixels.ts";
import { pngChunks } from "./png_chunks.ts";
import { unfilterRow } from "./png_filter.ts";

/** What the IHDR, PLTE and tRNS chunks say. */
interface PngHeader {
  readonly width: number;
  readonly height: number;
  readonly bits: number;
  readonly color: number;
  readonly isInterlaced: boolean;
  palette?: Uint8Array;
  transparency?: Uint8Array;
}

/** Samples of one pixel and their possible sizes, by PNG colour type (specification, table 11.1). */
const COLOR_TYPES: Readonly<Record<number, { samples: number; bits: readonly number[] }>> = {
  0: { samples: 1, bits: [1, 2, 4, 8, 16] },
  2: { samples: 3, bits: [8, 16] },
  3: { samples: 1, bits: [1, 2, 4, 8] },
  4: { samples: 2, bits: [8, 16] },
  6: { samples: 4, bits: [8, 16] },
};

/** First column and row, then column and row steps, of the seven passes of Adam7. */
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

function damaged(source: string, why: string, cause?: unknown): ImageError {
  const options = cause === undefined ? undefined : { cause };
  return new ImageError(`Cannot read ${source}: ${why}. Get the file again.`, source, options);
}

function parseHeader(data: Uint8Array, source: string): PngHeader {
  if (data.length < 13) throw damaged(source, "its PNG header is short");
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const header = {
    width: view.getUint32(0),
    height: view.getUint32(4),
    bits: view.getUint8(8),
    color: view.getUint8(9),
    isInterlaced: view.getUint8(12) === 1,
  };
  if (!COLOR_TYPES[header.color]?.bits.includes(header.bits)) {
    throw damaged(
      source,
      `PNG has no colour type ${header.color} with ${header.bits} bits; the header is damaged`,
    );
  }
  return header;
}

/** Width and height from the header alone. */
export function pngSize(bytes: Uint8Array, source: string): { width: number; height: number } {
  for (const { type, data } of pngChunks(bytes, source)) {
    if (type === "IHDR") return parseHeader(data, source);
    break;
  }
  throw damaged(source, "the PNG file does not begin with its header");
}

/**
 * Decodes any PNG: gray, RGB, palette, 1 to 16 bits, interlaced; of an animation, the still picture.
 *
 * 16-bit samples lose their low byte, and colours marked transparent get alpha 0. Throws an
 * ImageError if the file is damaged.
 */
export function decodePng(bytes: Uint8Array, source: string): Pixels {
  let header: PngHeader | undefined;
  const compressed: Uint8Array[] = [];
  for (const { type, data } of pngChunks(bytes, source)) {
    if (type === "IHDR") header = parseHeader(data, source);
    else if (header === undefined) break;
    else if (type === "PLTE") header.palette = data;
    else if (type === "tRNS") header.transparency = data;
    else if (type === "IDAT") compressed.push(data);
  }
  if (header === undefined) throw damaged(source, "the PNG file does not begin with its header");
  if (header.color === 3 && header.palette === undefined) {
    throw damaged(source, "its PNG palette is missing");
  }
  const passes = passesOf(header);
  const total = passes.reduce((sum, pass) => sum + pass.rows * (pass.rowBytes + 1), 0);
  const raw = inflate(Buffer.concat(compressed), total, source);
  return expandPasses(header, passes, raw, source);
}

function inflate(compressed: Uint8Array, total: number, source: string): Uint8Array {
  let raw: Uint8Array;
  try {
    raw = inflateSync(compressed, { maxOutputLength: total + 1 });
  } catch (cause) {
    throw damaged(source, "its PNG pixel data is damaged or ends early", cause);
  }
  if (raw.length < total) {
    throw damaged(source, `its PNG pixel data ends early; got ${raw.length} bytes of ${total}`);
  }
  return raw;
}

interface Pass {
  readonly left: number;
  readonly top: number;
  readonly stepX: number;
  readonly stepY: number;
  readonly columns: number;
  readonly rows: number;
  readonly rowBytes: number;
}

function passesOf({ width, height, bits, color, isInterlaced }: PngHeader): Pass[] {
  const bitsPerPixel = bits * COLOR_TYPES[color]!.samples;
  const grids = isInterlaced ? ADAM7 : [[0, 0, 1, 1] as const];
  return grids.map(([left, top, stepX, stepY]) => {
    const columns = Math.max(0, Math.ceil((width - left) / stepX));
    const rows = columns === 0 ? 0 : Math.max(0, Math.ceil((height - top) / stepY));
    return {
      left,
      top,
      stepX,
      stepY,
      columns,
      rows,
      rowBytes: Math.ceil(columns * bitsPerPixel / 8),
    };
  });
}

function expandPasses(
  header: PngHeader,
  passes: readonly Pass[],
  raw: Uint8Array,
  source: string,
): Pixels {
  const { width, height, bits, color } = header;
  const pixelBytes = Math.max(1, bits * COLOR_TYPES[color]!.samples / 8);
  const channels = color >= 4 || header.transparency !== undefined ? 4 : 3;
  const data = new Uint8ClampedArray(width * height * channels);
  const writeRow = rowWriter(header, channels, data);
  let at = 0;
  for (const { left, top, stepX, stepY, columns, rows, rowBytes } of passes) {
    let above: Uint8Array = new Uint8Array(rowBytes);
    for (let row = 0; row < rows; row++, at += rowBytes + 1) {
      const line = raw.subarray(at + 1, at + 1 + rowBytes);
      const filter = raw[at]!;
      if (filter > 4) throw damaged(source, `PNG has no filter ${filter}; its pixels are damaged`);
      unfilterRow(filter, line, above, pixelBytes);
      writeRow(line, columns, (top + row * stepY) * width + left, stepX);
      above = line;
    }
  }
  return { width, height, channels, data };
}

type RowWriter = (row: Uint8Array, columns: number, pixel: number, step: number) => void;

/** Turns a row of samples into pixels of `out`; `pixel` is the index of the first of them. */
function rowWriter(header: PngHeader, channels: 3 | 4, out: Uint8ClampedArray): RowWriter {
  const { bits, color, palette, transparency } = header;
  const { samples } = COLOR_TYPES[color]!;
  const isColor = color === 2 || color === 6, hasAlpha = color >= 4;
  const sample = sampleReader(bits);
  const scale = color === 3 || bits >= 8 ? 1 : 255 / (2 ** bits - 1);
  const toByte = (value: number) => bits === 16 ? value >> 8 : value * scale;
  const key = color < 3 && transparency !== undefined
    ? Array.from(
      { length: samples },
      (_, k) => transparency[2 * k]! << 8 | transparency[2 * k + 1]!,
    )
    : undefined;
  const value = new Array<number>(samples);
  return (row, columns, pixel, step) => {
    for (let x = 0; x < columns; x++, pixel += step) {
      for (let k = 0; k < samples; k++) value[k] = sample(row, x * samples + k);
      const at = pixel * channels, first = value[0]!;
      if (color === 3) {
        for (let k = 0; k < 3; k++) out[at + k] = palette![first * 3 + k] ?? 0;
      } else {
        for (let k = 0; k < 3; k++) out[at + k] = toByte(isColor ? value[k]! : first);
      }
      if (channels === 3) continue;
      if (hasAlpha) out[at + 3] = toByte(value[samples - 1]!);
      else if (color === 3) out[at + 3] = transparency![first] ?? 255;
      else out[at + 3] = key!.every((wanted, k) => wanted === value[k]) ? 0 : 255;
    }
  };
}

/** Reads the sample with a given index out of a row, as stored. */
function sampleReader(bits: number): (row: Uint8Array, index: number) => number {
  if (bits === 8) return (row, index) => row[index]!;
  if (bits === 16) return (row, index) => row[2 * index]! << 8 | row[2 * index + 1]!;
  const perByte = 8 / bits, mask = 2 ** bits - 1;
  return (row, index) => {
    const shift = 8 - bits * (index % perByte + 1);
    return row[Math.floor(index / perByte)]! >> shift & mask;
  };
}
