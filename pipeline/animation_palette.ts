import { ditherToPalette } from "./animation_dither.ts";
import type { Color, Gifenc } from "./animation_gif.ts";
import type { Pixels } from "./pixels.ts";

/** A picture of at most 256 colours. */
export interface Indexed {
  readonly palette: readonly Color[];
  /** A colour's place in the palette for each pixel. */
  readonly index: Uint8Array;
  /** The place in the palette that means a clear pixel; absent if there is none. */
  readonly clear?: number;
}

/**
 * Chooses a picture's palette: its own colours if they fit, else those that gifenc's pairwise
 * clustering finds. Pixels that are more than half clear become clear.
 */
export function toIndexed(picture: Pixels, gifenc: Gifenc, dither: boolean): Indexed {
  const colors = colorsOf(picture);
  const visible = colors.filter((color) => color !== CLEAR);
  const hasClear = visible.length < colors.length;
  const most = hasClear ? 255 : 256;
  const own = distinct(visible, most);
  const palette = own ? [...own.keys()].map(toColor) : cluster(visible, most, gifenc);
  const index = own
    ? Uint8Array.from(colors, (color) => own.get(color) ?? 0)
    : dither
    ? ditherToPalette(picture, palette)
    : gifenc.applyPalette(toRgba(colors), palette);
  if (!hasClear) return { palette, index };
  const clear = palette.length;
  colors.forEach((color, i) => {
    if (color === CLEAR) index[i] = clear;
  });
  return { palette: [...palette, [0, 0, 0]], index, clear };
}

/**
 * Clusters from groups of the same upper 5 bits or, when there are so many that it would take long
 * (time grows with their square), of the same upper 4 bits, which is then no worse.
 */
function cluster(colors: Uint32Array, most: number, gifenc: Gifenc): Color[] {
  const groups = new Set(colors.map((color) => color & 0xf8f8f8)).size;
  const format = groups > MOST_GROUPS ? "rgb444" : "rgb565";
  return gifenc.quantize(toRgba(colors), most, { format });
}

const MOST_GROUPS = 2500;

/** No colour has this number. */
const CLEAR = 0xffffffff;

/** 0xbbggrr for each pixel. */
function colorsOf({ channels, data }: Pixels): Uint32Array {
  const out = new Uint32Array(data.length / channels);
  for (let i = 0, at = 0; i < out.length; i++, at += channels) {
    const isClear = channels === 4 && data[at + 3]! < 128;
    out[i] = isClear ? CLEAR : data[at]! | data[at + 1]! << 8 | data[at + 2]! << 16;
  }
  return out;
}

/** The colours, numbered; undefined if there are more than `most`. */
function distinct(colors: Uint32Array, most: number): Map<number, number> | undefined {
  const found = new Map<number, number>();
  for (const color of colors) {
    if (found.has(color)) continue;
    if (found.size === most) return undefined;
    found.set(color, found.size);
  }
  return found;
}

function toColor(color: number): Color {
  return [color & 255, color >> 8 & 255, color >> 16 & 255];
}

/** As gifenc takes it: it looks at the whole buffer, four bytes a pixel. */
function toRgba(colors: Uint32Array): Uint8Array {
  const out = new Uint8Array(4 * colors.length);
  colors.forEach((color, i) => out.set(toColor(color), 4 * i));
  return out;
}
