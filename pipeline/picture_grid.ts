/**
 * Contact sheets: pictures in rows and columns, with labels.
 *
 * @module
 */

import { Image } from "./image.ts";
import { GLYPH_HEIGHT, GLYPH_WIDTH } from "./picture_grid_font.ts";
import { type Canvas, drawLabel, wrapLabel } from "./picture_grid_label.ts";

/** Red, green and blue, 0 to 255. */
export type GridColor = readonly [red: number, green: number, blue: number];

/** How a contact sheet looks. */
export interface GridOptions {
  /** Pictures in a row. Default: as many as there are column labels, else a nearly square sheet. */
  readonly columns?: number;
  /** Pixels between pictures and around them. Default 8. */
  readonly gap?: number;
  /** Colour behind everything, and behind clear pixels. Default white. */
  readonly background?: GridColor;
  /** Texts above the columns. */
  readonly columnLabels?: readonly string[];
  /** Texts to the left of the rows. */
  readonly rowLabels?: readonly string[];
  /** Texts below each picture. */
  readonly captions?: readonly string[];
  /** How many pixels one of the font becomes, a whole number. Default: by the pictures' size. */
  readonly textScale?: number;
}

/** Lines that a label may have before it is cut off. */
const MOST_LINES = 4;

/** Columns of small pictures are widened to hold words of up to so many characters. */
const LONGEST_WORD = 16;

/** Where everything lies. */
interface Layout {
  readonly columns: number;
  readonly gap: number;
  readonly scale: number;
  /** Pixels of each column and each row of pictures. */
  readonly widths: readonly number[];
  readonly heights: readonly number[];
  /** Lines of the labels, and the pixels that are kept for them. */
  readonly columnLines: readonly (readonly string[])[];
  readonly rowLines: readonly (readonly string[])[];
  readonly captionLines: readonly (readonly string[])[];
  readonly header: number;
  readonly side: number;
  readonly footers: readonly number[];
}

/**
 * Puts pictures, of one size or several, row by row on a sheet; each is in the middle of its cell,
 * which is as large as the largest of its column and row. Missing ones leave their cell empty.
 *
 * Returns RGB. Throws a RangeError without pictures, for options out of range and for more labels
 * than there are columns, rows or pictures.
 */
export function pictureGrid(
  pictures: readonly (Image | undefined)[],
  options: GridOptions = {},
): Image {
  const { background = [255, 255, 255] } = options;
  const layout = layOut(pictures, options);
  const { columns, gap, widths, heights, header, side, footers } = layout;
  const width = side + sum(widths) + gap * (widths.length + 1);
  const height = header + sum(heights) + sum(footers) + gap * (heights.length + 1);
  const data = new Uint8ClampedArray(3 * width * height);
  for (let i = 0; i < data.length; i++) data[i] = background[i % 3]!;
  const canvas = { width, height, data };
  const [red, green, blue] = background;
  const isDark = red * 0.299 + green * 0.587 + blue * 0.114 < 128;
  const color: GridColor = isDark ? [255, 255, 255] : [0, 0, 0];
  const style = { scale: layout.scale, color };

  for (let row = 0, top = header + gap; row < heights.length; row++) {
    for (let column = 0, left = side + gap; column < widths.length; column++) {
      const i = row * columns + column, picture = pictures[i];
      const cell = { left, top, width: widths[column]!, height: heights[row]! };
      if (picture) paste(canvas, picture, cell);
      const below = { ...style, left, width: cell.width, align: "center" } as const;
      drawLabel(canvas, layout.captionLines[i] ?? [], { ...below, top: top + cell.height });
      if (row === 0) drawLabel(canvas, layout.columnLines[column] ?? [], { ...below, top: gap });
      left += cell.width + gap;
    }
    const lines = layout.rowLines[row] ?? [];
    const free = heights[row]! - lines.length * GLYPH_HEIGHT * layout.scale;
    const middle = top + Math.max(0, Math.floor(free / 2));
    drawLabel(canvas, lines, { ...style, left: gap, top: middle, width: side, align: "left" });
    top += heights[row]! + footers[row]! + gap;
  }
  return new Image(width, height, data);
}

function layOut(pictures: readonly (Image | undefined)[], options: GridOptions): Layout {
  const { gap = 8, columnLabels = [], rowLabels = [], captions = [] } = options;
  const columns = options.columns ??
    (columnLabels.length || Math.ceil(Math.sqrt(pictures.length)));
  const rows = Math.ceil(pictures.length / columns);
  requireOptions(pictures, options, columns, rows);

  const cells = (of: (picture: Image) => number, isIn: (i: number) => boolean) =>
    pictures.reduce(
      (most, picture, i) => picture && isIn(i) ? Math.max(most, of(picture)) : most,
      1,
    );
  const pictureWidths = counted(columns, (at) => cells((p) => p.width, (i) => i % columns === at));
  const heights = counted(
    rows,
    (at) => cells((p) => p.height, (i) => Math.floor(i / columns) === at),
  );
  const scale = options.textScale ?? Math.max(1, Math.round(Math.min(...pictureWidths) / 256));

  const glyph = GLYPH_WIDTH * scale, line = GLYPH_HEIGHT * scale;
  const widths = pictureWidths.map((pixels, at) => {
    const below = captions.filter((_, i) => i % columns === at);
    const words = [columnLabels[at] ?? "", ...below].join(" ").split(/\s+/);
    const longest = Math.max(...words.map((word) => [...word].length));
    return Math.max(pixels, Math.min(longest, LONGEST_WORD) * glyph);
  });
  const fitting = (pixels: number) => Math.max(1, Math.floor(pixels / glyph));
  const columnLines = columnLabels.map((label, i) => wrap(label, fitting(widths[i]!), MOST_LINES));
  const captionLines = captions.map((text, i) =>
    wrap(text, fitting(widths[i % columns]!), MOST_LINES)
  );
  const sideColumns = Math.max(8, fitting(Math.max(...widths) / 2));
  const rowLines = rowLabels.map((label, i) =>
    wrap(label, sideColumns, Math.max(1, Math.floor(heights[i]! / line)))
  );
  const longest = Math.max(0, ...rowLines.flat().map((text) => [...text].length));
  const mostLines = (labels: readonly (readonly string[])[]) =>
    Math.max(0, ...labels.map((lines) => lines.length));
  return {
    ...{ columns, gap, scale, widths, heights, columnLines, rowLines, captionLines },
    header: columnLines.length === 0 ? 0 : gap + mostLines(columnLines) * line,
    side: longest === 0 ? 0 : gap + longest * glyph,
    footers: counted(
      rows,
      (row) => mostLines(captionLines.slice(row * columns, (row + 1) * columns)) * line,
    ),
  };
}

/** A label's lines; none for an empty one. */
function wrap(label: string, columns: number, most: number): string[] {
  return label.trim() === "" ? [] : wrapLabel(label, columns, most);
}

function requireOptions(
  pictures: readonly unknown[],
  { gap = 8, textScale = 1, background = [0, 0, 0], ...labels }: GridOptions,
  columns: number,
  rows: number,
): void {
  if (pictures.length === 0) refuse("there are no pictures");
  if (!Number.isInteger(columns) || columns < 1) {
    refuse(`columns is a whole number from 1 on; got ${columns}`);
  }
  if (!Number.isInteger(gap) || gap < 0) refuse(`gap is a whole number from 0 on; got ${gap}`);
  if (!Number.isInteger(textScale) || textScale < 1) {
    refuse(`textScale is a whole number from 1 on; got ${textScale}`);
  }
  if (background.length !== 3 || !background.every((value) => value >= 0 && value <= 255)) {
    refuse(`background is three numbers from 0 to 255; got ${background.join(", ")}`);
  }
  const { columnLabels = [], rowLabels = [], captions = [] } = labels;
  if (columnLabels.length > columns) {
    refuse(`there are ${columnLabels.length} column labels for ${columns} columns`);
  }
  if (rowLabels.length > rows) refuse(`there are ${rowLabels.length} row labels for ${rows} rows`);
  if (captions.length > pictures.length) {
    refuse(`there are ${captions.length} captions for ${pictures.length} pictures`);
  }
}

function refuse(why: string): never {
  throw new RangeError(`Cannot make a picture grid: ${why}.`);
}

/** Copies a picture into the middle of a cell, clear parts mixed with what is there. */
function paste(
  canvas: Canvas,
  { width, height, channels, data }: Image,
  cell: { left: number; top: number; width: number; height: number },
): void {
  const left = cell.left + Math.floor((cell.width - width) / 2);
  const top = cell.top + Math.floor((cell.height - height) / 2);
  for (let y = 0; y < height; y++) {
    let to = 3 * ((top + y) * canvas.width + left);
    for (let x = 0, from = y * width * channels; x < width; x++, from += channels) {
      const share = channels === 4 ? data[from + 3]! / 255 : 1;
      for (let k = 0; k < 3; k++, to++) {
        canvas.data[to] = data[from + k]! * share + canvas.data[to]! * (1 - share);
      }
    }
  }
}

function counted(count: number, of: (index: number) => number): number[] {
  return Array.from({ length: count }, (_, index) => of(index));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
