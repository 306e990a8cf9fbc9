import type { Pixels } from "./pixels.ts";
import { addPngText } from "./png_text.ts";

/** The part of imagescript's PNG codec that is used; the package ships no types for it. */
interface ImagescriptPng {
  encode(data: Uint8Array | Uint8ClampedArray, options: {
    readonly width: number;
    readonly height: number;
    readonly channels: 3 | 4;
    readonly level: number;
  }): Uint8Array;
}

/** Of deflate's levels 0 to 9; above this one files get no smaller. */
const LEVEL = 6;

/**
 * Encodes pixels as an RGB or RGBA PNG of 8 bits, with texts right behind the header.
 *
 * Throws a TypeError for texts that PNG cannot hold.
 */
export async function encodePng(
  { width, height, channels, data }: Pixels,
  texts: Readonly<Record<string, string>> = {},
): Promise<Uint8Array> {
  // The package's main module loads native code; this one is plain JavaScript.
  const { default: png }: { default: ImagescriptPng } = await import(
    "npm:imagescript@1.3.1/png/node.js"
  );
  return addPngText(png.encode(data, { width, height, channels, level: LEVEL }), texts);
}
