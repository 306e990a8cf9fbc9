/**
 * A report as a terminal's text: at most 80 columns, plots of characters, pictures of half blocks
 * where the terminal has colours.
 *
 * @module
 */

import type { Image } from "../pipeline/image.ts";
import { evenly } from "./measure.ts";
import { plotText } from "./plot_text.ts";
import { type Block, type LabelledPicture, placeOf, type Report, short } from "./report.ts";

/** What the terminal can show. */
export interface TextOptions {
  /** Characters a line. Default 80. */
  readonly columns?: number;
  /** Colours, for pictures and marks. */
  readonly color?: boolean;
  /** Formulas, files and papers as well. */
  readonly details?: boolean;
}

/** Renders a report. */
export function renderText(report: Report, options: TextOptions = {}): string {
  const columns = Math.max(40, Math.min(options.columns ?? 80, 80)), color = options.color ?? false;
  const lines = [
    report.title,
    "=".repeat(report.title.length),
    "",
    ...wrap(report.summary, columns),
  ];
  for (const block of report.blocks) lines.push("", ...blockText(block, columns, color));
  lines.push("", "What this run checked:");
  for (const { text, holds, measured } of report.claims) {
    const mark = holds ? "ok   " : "WRONG";
    lines.push(
      ...hang(`  ${paint(mark, holds ? 32 : 31, color)} `, 8, `${text} [${measured}]`, columns),
    );
  }
  if (options.details ?? true) lines.push(...detailsText(report, columns));
  return lines.join("\n") + "\n";
}

function detailsText({ formulas, papers }: Report, columns: number): string[] {
  const lines: string[] = [];
  for (const formula of formulas) {
    const { text, symbols } = formula;
    lines.push("", `  ${text}`);
    const names = Object.entries(symbols).map(([symbol, name]) => `${symbol} ${name}`).join("; ");
    lines.push(...hang("    ", 4, `${names}. In ${placeOf(formula)}`, columns));
  }
  if (papers.length > 0) lines.push("", ...papers.flatMap((p) => hang("  - ", 4, p, columns)));
  return lines;
}

function blockText(block: Block, columns: number, color: boolean): string[] {
  switch (block.kind) {
    case "text":
      return wrap(block.text, columns);
    case "table":
      return [...wrap(block.caption, columns), ...table(block.columns, block.rows, columns)];
    case "plot":
      return [...wrap(block.caption, columns), ...plotText(block, columns)];
    case "heatmap":
      return [...wrap(block.caption, columns), ...heatmap(block, columns, color)];
    case "pictures":
      return [...wrap(block.caption, columns), ...pictures(block.pictures, columns, color)];
    case "frames":
      return [
        ...wrap(block.caption, columns),
        ...pictures(evenly(block.frames, 6), columns, color),
      ];
  }
}

function table(
  columns: readonly string[],
  rows: readonly (readonly (string | number)[])[],
  width: number,
): string[] {
  const cells = rows.map((row) => row.map((v) => typeof v === "number" ? short(v) : v));
  const widths = columns.map((name, i) =>
    Math.max(name.length, ...cells.map((row) => row[i]?.length ?? 0))
  );
  // A table that is too wide loses characters in its widest column.
  for (let over = sum(widths) + 2 * widths.length - width; over > 0; over--) {
    widths[widths.indexOf(Math.max(...widths))]!--;
  }
  const line = (row: readonly string[], numeric: readonly boolean[]) =>
    widths.map((w, i) => {
      const text = clip(row[i] ?? "", w);
      return numeric[i] ? text.padStart(w) : text.padEnd(w);
    }).join("  ").trimEnd();
  const numeric = columns.map((_, i) => rows.every((row) => typeof row[i] === "number"));
  return [
    `  ${line(columns, numeric)}`,
    `  ${widths.map((w) => "-".repeat(w)).join("  ")}`,
    ...cells.map((row) => `  ${line(row, numeric)}`),
  ].map((text) => clip(text, width));
}

function heatmap(
  { rows, columns, values }: Extract<Block, { kind: "heatmap" }>,
  width: number,
  color: boolean,
): string[] {
  const flat = values.flat(), low = Math.min(...flat), high = Math.max(...flat);
  const margin = Math.min(24, Math.max(...rows.map((name) => name.length)));
  const fitting = Math.max(1, Math.floor((width - margin - 2) / 3));
  const shades = " ░▒▓█";
  const cell = (value: number) => {
    const level = high === low ? 0 : (value - low) / (high - low);
    if (!color) return shades[Math.round(level * 4)]!.repeat(3);
    const gray = 232 + Math.round(level * 23);
    return `\x1b[48;5;${gray}m   \x1b[0m`;
  };
  return [
    ...values.map((row, i) =>
      `${clip(rows[i]!, margin).padEnd(margin)}  ${row.slice(0, fitting).map(cell).join("")}`
    ),
    ...wrap(
      `columns: ${columns.slice(0, fitting).join(", ")}; ${short(low)} to ${short(high)}`,
      width,
    ),
  ];
}

/** Pictures side by side as half blocks; without colours only their names. */
function pictures(all: readonly LabelledPicture[], columns: number, color: boolean): string[] {
  if (!color) return all.map(({ label, image }) => `  [${image.width}x${image.height}] ${label}`);
  const each = 20, perRow = Math.max(1, Math.floor(columns / (each + 2))), lines: string[] = [];
  for (let at = 0; at < all.length; at += perRow) {
    const row = all.slice(at, at + perRow), drawn = row.map(({ image }) => halfBlocks(image, each));
    const height = Math.max(...drawn.map((picture) => picture.length));
    for (let y = 0; y < height; y++) {
      lines.push(drawn.map((picture) => picture[y] ?? " ".repeat(each)).join("  "));
    }
    lines.push(row.map(({ label }) => clip(label, each).padEnd(each)).join("  "), "");
  }
  return lines;
}

/** Two pixels to a character, in 24-bit colours. */
function halfBlocks(image: Image, width: number): string[] {
  const height = Math.max(2, Math.round(width * image.height / image.width / 2) * 2);
  const small = image.withoutAlpha().resize(width, height, "bilinear"), lines: string[] = [];
  const pixel = (x: number, y: number) => {
    const at = (y * width + x) * 3;
    return `${small.data[at]};${small.data[at + 1]};${small.data[at + 2]}`;
  };
  for (let y = 0; y < height; y += 2) {
    let line = "";
    for (let x = 0; x < width; x++) {
      line += `\x1b[38;2;${pixel(x, y)};48;2;${pixel(x, y + 1)}m▀`;
    }
    lines.push(`${line}\x1b[0m`);
  }
  return lines;
}

function paint(text: string, code: number, color: boolean): string {
  return color ? `\x1b[${code}m${text}\x1b[0m` : text;
}

function clip(text: string, width: number): string {
  const characters = [...text];
  return characters.length <= width
    ? text
    : `${characters.slice(0, Math.max(0, width - 1)).join("")}…`;
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

/** Lines of at most `width` characters; line ends in the text are kept. */
function wrap(text: string, width: number): string[] {
  return text.split("\n").flatMap((paragraph) => {
    const lines: string[] = [];
    let line = "";
    for (const word of paragraph.split(" ")) {
      if (line && line.length + word.length + 1 > width) {
        lines.push(line);
        line = word;
      } else line = line ? `${line} ${word}` : word;
    }
    return [...lines, line];
  });
}

/** Wrapped text behind a first prefix, the rest indented. */
function hang(prefix: string, indent: number, text: string, columns: number): string[] {
  return wrap(text, columns - indent).map((line, i) =>
    i === 0 ? prefix + line : " ".repeat(indent) + line
  );
}
