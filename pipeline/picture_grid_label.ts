import { GLYPH_HEIGHT, GLYPH_WIDTH, glyphOf } from "./picture_grid_font.ts";

/** Where and how a label is drawn. */
export interface LabelPlace {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  /** Each pixel of the font becomes so many in both directions. */
  readonly scale: number;
  readonly align: "left" | "center";
  readonly color: readonly [red: number, green: number, blue: number];
}

/** A canvas of RGB pixels. */
export interface Canvas {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray;
}

/**
 * Breaks a label at spaces into lines of at most `columns` characters, in the middle of words that
 * are longer; what does not fit into `most` lines ends in "...".
 */
export function wrapLabel(label: string, columns: number, most: number): string[] {
  const lines: string[] = [];
  for (const paragraph of label.normalize("NFC").split(/\r?\n/)) {
    let line = "";
    for (const word of paragraph.split(/\s+/).filter((word) => word !== "")) {
      const pieces = chunks([...word], columns);
      for (const [i, piece] of pieces.entries()) {
        const joined = line === "" || i > 0 ? piece : `${line} ${piece}`;
        if (i === 0 && length(joined) <= columns) {
          line = joined;
          continue;
        }
        if (line !== "") lines.push(line);
        line = piece;
      }
    }
    lines.push(line);
  }
  while (lines.length > 1 && lines.at(-1) === "") lines.pop();
  if (lines.length <= most) return lines;
  const last = [...lines[most - 1]!].slice(0, Math.max(0, columns - 3)).join("");
  return [...lines.slice(0, most - 1), `${last}...`.slice(0, columns)];
}

function chunks(characters: readonly string[], size: number): string[] {
  const count = Math.ceil(characters.length / size);
  return Array.from(
    { length: count },
    (_, i) => characters.slice(i * size, (i + 1) * size).join(""),
  );
}

function length(text: string): number {
  return [...text].length;
}

/** Draws lines of text; pixels outside the canvas are left out. */
export function drawLabel(canvas: Canvas, lines: readonly string[], place: LabelPlace): void {
  const { left, top, width, scale, align } = place;
  for (const [row, line] of lines.entries()) {
    const characters = [...line];
    const free = width - characters.length * GLYPH_WIDTH * scale;
    const start = left + (align === "center" ? Math.max(0, Math.floor(free / 2)) : 0);
    for (const [i, character] of characters.entries()) {
      const x = start + i * GLYPH_WIDTH * scale, y = top + row * GLYPH_HEIGHT * scale;
      drawGlyph(canvas, glyphOf(character), x, y, place);
    }
  }
}

function drawGlyph(
  { width, height, data }: Canvas,
  glyph: Uint8Array,
  left: number,
  top: number,
  { scale, color }: LabelPlace,
): void {
  for (let y = top; y < Math.min(top + GLYPH_HEIGHT * scale, height); y++) {
    const bits = glyph[Math.floor((y - top) / scale)]!;
    for (let x = left; x < Math.min(left + GLYPH_WIDTH * scale, width); x++) {
      if (bits & 0x80 >> Math.floor((x - left) / scale)) data.set(color, 3 * (y * width + x));
    }
  }
}
