import { deflateSync } from "node:zlib";
import type { Pixels } from "./pixels.ts";
import { pngChunk, pngFile } from "./png_chunks.ts";
import { filterRow } from "./png_filter.ts";
import { pngTextChunk } from "./png_text.ts";

/**
 * Encodes pixels as an RGB or RGBA PNG of 8 bits, with texts right behind the header.
 *
 * Each row gets the filter whose differences are smallest, as libpng does it.
 */
export function encodePng(
  { width, height, channels, data }: Pixels,
  texts: Readonly<Record<string, string>> = {},
): Uint8Array {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  view.setUint8(8, 8);
  view.setUint8(9, channels === 4 ? 6 : 2);
  return pngFile([
    pngChunk("IHDR", header),
    ...Object.entries(texts).map(([keyword, text]) => pngTextChunk(keyword, text)),
    pngChunk("IDAT", deflateSync(filterRows(data, width * channels, channels))),
    pngChunk("IEND"),
  ]);
}

/** All rows with the byte that names their filter in front. */
function filterRows(data: Uint8ClampedArray, rowBytes: number, step: number): Uint8Array {
  const rows = data.length / rowBytes;
  const out = new Uint8Array(rows * (rowBytes + 1));
  const candidate = new Uint8Array(rowBytes);
  let above: Uint8ClampedArray = new Uint8ClampedArray(rowBytes);
  for (let y = 0; y < rows; y++) {
    const row = data.subarray(y * rowBytes, (y + 1) * rowBytes);
    const at = y * (rowBytes + 1);
    let best = Infinity;
    for (let kind = 0; kind <= 4; kind++) {
      const cost = filterRow(kind, row, above, step, candidate);
      if (cost >= best) continue;
      best = cost;
      out[at] = kind;
      out.set(candidate, at + 1);
    }
    above = row;
  }
  return out;
}
