/**
 * Pictures as text for a terminal, at most half a screen large.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Image } from "../mod.ts";
import { sixels } from "./preview_sixel.ts";
import type { PreviewFormat } from "./preview_terminal.ts";

/** A picture as text; written at the top left of an area of `rows` lines, it fills that area. */
export interface Drafted {
  readonly text: string;
  readonly rows: number;
}

/** Makes text of a picture; `last` is true for one that will stay. */
export type Draft = (image: Image, last: boolean) => Promise<Drafted>;

/** The part of a terminal that a picture may take. */
export interface Room {
  readonly columns: number;
  readonly rows: number;
}

/** Largest area of a preview, in characters. */
const LARGEST: Room = { columns: 48, rows: 24 };

/** Narrower than this nothing could be made out. */
const LEAST_COLUMNS = 8;

/** Pixels of a character cell, where a format counts in pixels: as small as cells get. */
const CELL_WIDTH = 8;

/** The room in a terminal of this size; undefined where there is too little. */
export function roomIn(terminal: Room): Room | undefined {
  const columns = Math.min(LARGEST.columns, terminal.columns - 1);
  const rows = Math.min(LARGEST.rows, terminal.rows - 3);
  return columns >= LEAST_COLUMNS && rows >= LEAST_COLUMNS / 2 ? { columns, rows } : undefined;
}

/** The largest size in characters that keeps a picture's proportions; a character is 1 x 2. */
export function fit({ width, height }: { width: number; height: number }, room: Room): Room {
  const scale = Math.min(room.columns / width, 2 * room.rows / height);
  return {
    columns: Math.max(1, Math.round(width * scale)),
    rows: Math.max(1, Math.round(height * scale / 2)),
  };
}

/** Drafts in `format`, within `room`. */
export function draftIn(
  format: PreviewFormat,
  { room, trueColor }: { readonly room: Room; readonly trueColor: boolean },
): Draft {
  let id = 0x6c61; // kitty's pictures have numbers: one for all drafts of a picture
  return async (image, last) => {
    const size = fit(image, room), { rows } = size;
    switch (format) {
      case "kitty":
        return { text: kitty(await png(image), size, last ? id++ : id), rows };
      case "iterm2":
        return { text: iterm2(await png(image), size), rows };
      case "sixel":
        return { text: sixels(scaled(image, size, CELL_WIDTH)), rows };
      case "blocks":
        return { text: blocks(scaled(image, size, 1), trueColor), rows };
      case "ascii":
        return { text: ascii(scaled(image, size, 1)), rows };
    }
  };
}

function scaled(image: Image, { columns, rows }: Room, cell: number): Image {
  const filter = columns * cell < image.width ? "lanczos" : "bicubic";
  return image.withoutAlpha().resize(columns * cell, 2 * rows * cell, filter);
}

async function png(image: Image): Promise<string> {
  return Buffer.from(await image.encode("png")).toString("base64");
}

/** Kitty's graphics protocol: a PNG in pieces of 4096 bytes; C=1 leaves the cursor where it is. */
export function kitty(png: string, { columns, rows }: Room, id: number): string {
  const pieces = png.match(/.{1,4096}/g) ?? [];
  return pieces.map((piece, i) => {
    const keys = i === 0 ? `a=T,f=100,i=${id},p=1,q=2,C=1,c=${columns},r=${rows},` : "q=2,";
    return `\x1b_G${keys}m=${i < pieces.length - 1 ? 1 : 0};${piece}\x1b\\`;
  }).join("");
}

/** iTerm2's inline images. */
export function iterm2(png: string, { columns, rows }: Room): string {
  return `\x1b]1337;File=inline=1;width=${columns};height=${rows};preserveAspectRatio=0:${png}\x07`;
}

/** Upper half blocks: the ink is the upper pixel, the paper the lower one. */
export function blocks({ width, height, data }: Image, trueColor: boolean): string {
  const color = (x: number, y: number) => {
    const [r, g, b] = data.subarray(3 * (y * width + x), 3 * (y * width + x) + 3);
    return trueColor ? `2;${r};${g};${b}` : `5;${cube(r!, g!, b!)}`;
  };
  return linesOf(
    width,
    height,
    (x, y) => `\x1b[38;${color(x, y)};48;${color(x, y + 1)}m▀`,
    "\x1b[m",
  );
}

/** The nearest of xterm's 6 x 6 x 6 colours. */
function cube(r: number, g: number, b: number): number {
  const level = (value: number) => value < 48 ? 0 : value < 115 ? 1 : Math.floor((value - 35) / 40);
  return 16 + 36 * level(r) + 6 * level(g) + level(b);
}

/** Brightness as characters, for terminals without colours. */
export function ascii(image: Image): string {
  const ramp = " .:-=+*#%@", gray = image.toGray(), { width, height } = image;
  return linesOf(width, height, (x, y) => {
    const mean = (gray[y * width + x]! + gray[(y + 1) * width + x]!) / 2;
    return ramp[Math.round(mean / 255 * (ramp.length - 1))]!;
  }, "");
}

/** Characters for two rows of pixels each. */
function linesOf(
  width: number,
  height: number,
  character: (x: number, y: number) => string,
  lineEnd: string,
): string {
  const lines: string[] = [];
  for (let y = 0; y < height; y += 2) {
    lines.push(Array.from({ length: width }, (_, x) => character(x, y)).join("") + lineEnd);
  }
  return lines.join("\r\n");
}
