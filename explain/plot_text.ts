/**
 * Plots of characters: Braille dots, four rows and two columns to a character.
 *
 * @module
 */

import { type Block, short } from "./report.ts";

type Plot = Extract<Block, { kind: "plot" }>;

/** Bits of a Braille character by column and row of its dots (Unicode 2800). */
const DOTS = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]] as const;

/** Marks of the series where dots would look alike. */
const MARKS = "ox+*#@%&";

/** Draws a plot of at most `columns` characters a line; series are told apart by their marks. */
export function plotText(plot: Plot, columns: number, rows = 12): string[] {
  const width = Math.max(20, Math.min(columns, 76) - 12);
  const points = plot.series.map(({ points }) => points.filter(([x, y]) => usable(plot, x, y)));
  const all = points.flat();
  if (all.length === 0) return ["(nothing to plot)"];
  const x = scale(all.map(([x]) => x), plot.x.log ?? false, width * 2 - 1);
  const y = scale(all.map(([, y]) => y), plot.y.log ?? false, rows * 4 - 1);
  const cells = Array.from({ length: rows }, () => new Array<string>(width).fill(" "));
  points.forEach((series, i) => {
    const mark = plot.series.length > 1 ? MARKS[i % MARKS.length] : undefined;
    series.forEach(([px, py], k) => {
      const before = series[k - 1];
      if (before && plot.mark !== "dot" && !mark) {
        line(cells, x(before[0]), y(before[1]), x(px), y(py));
      }
      put(cells, x(px), y(py), mark);
    });
  });
  return frame(plot, cells, all);
}

function usable({ x, y }: Plot, px: number, py: number): boolean {
  return Number.isFinite(px) && Number.isFinite(py) && (!x.log || px > 0) && (!y.log || py > 0);
}

/** Maps values to 0..steps. */
function scale(values: readonly number[], log: boolean, steps: number): (value: number) => number {
  const at = log ? Math.log : (v: number) => v;
  const low = Math.min(...values.map(at)), high = Math.max(...values.map(at));
  return (value) => high === low ? steps / 2 : (at(value) - low) / (high - low) * steps;
}

function put(cells: string[][], x: number, y: number, mark?: string): void {
  const rows = cells.length * 4, column = Math.round(x), row = rows - 1 - Math.round(y);
  const line = cells[row >> 2];
  if (!line || column < 0 || column >> 1 >= line.length) return;
  if (mark) {
    line[column >> 1] = mark;
    return;
  }
  const there = line[column >> 1]!.codePointAt(0)!;
  const bits = there >= 0x2800 && there < 0x2900 ? there - 0x2800 : 0;
  line[column >> 1] = String.fromCodePoint(0x2800 + (bits | DOTS[column & 1]![row & 3]!));
}

function line(cells: string[][], x0: number, y0: number, x1: number, y1: number): void {
  const steps = Math.ceil(Math.max(Math.abs(x1 - x0), Math.abs(y1 - y0), 1));
  for (let i = 0; i < steps; i++) {
    put(cells, x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps);
  }
}

/** Axes, their ends, and the legend. */
function frame(
  plot: Plot,
  cells: string[][],
  all: readonly (readonly [number, number])[],
): string[] {
  const ys = all.map(([, y]) => y), xs = all.map(([x]) => x), margin = 9;
  const top = short(Math.max(...ys)), bottom = short(Math.min(...ys));
  const lines = cells.map((cell, i) => {
    const label = i === 0 ? top : i === cells.length - 1 ? bottom : "";
    return `${label.padStart(margin)} ┤${cell.join("").trimEnd()}`;
  });
  const left = short(Math.min(...xs)), right = short(Math.max(...xs));
  const width = cells[0]!.length;
  lines.push(`${" ".repeat(margin)} └${"─".repeat(width)}`);
  lines.push(`${" ".repeat(margin + 2)}${left.padEnd(width - right.length)}${right}`);
  const log = (axis: { label: string; log?: boolean }) => axis.label + (axis.log ? " (log)" : "");
  lines.push(`${" ".repeat(margin + 2)}${log(plot.y)} against ${log(plot.x)}`);
  if (plot.series.length > 1) {
    const names = plot.series.map(({ name }, i) => `${MARKS[i % MARKS.length]} ${name}`);
    lines.push(`${" ".repeat(margin + 2)}${names.join("  ")}`);
  }
  return lines;
}
