/**
 * Plots for pages: Observable Plot, drawn to SVG without a browser.
 *
 * @module
 */

import { type Block, short } from "./report.ts";

/** Draws plots. */
export interface PlotDrawer {
  /** SVG of a plot, with a title that screen readers read. */
  plot(plot: Extract<Block, { kind: "plot" }>): string;
  /** SVG of a heat map. */
  heatmap(map: Extract<Block, { kind: "heatmap" }>): string;
}

/** Dash patterns that tell lines apart where colours do not. */
const DASHES = ["", "6 3", "2 2", "8 3 2 3", "1 3"];

/** Loads the plotting library and a document for it to draw in: a quarter of a second. */
export async function plotDrawer(): Promise<PlotDrawer> {
  const [Plot, { parseHTML }] = await Promise.all([
    import("npm:@observablehq/plot@0.6.17"),
    import("npm:linkedom@0.18.12"),
  ]);
  // Plot wants the browser's type, which is not known outside one.
  const { document } = parseHTML("<html><body></body></html>") as unknown as { document: never };
  const common = { document, width: 680, style: { background: "transparent" } };
  return {
    plot({ series, x, y, mark = "line", caption }) {
      const rows = series.flatMap(({ name, points }) =>
        points.filter(([, v]) => Number.isFinite(v)).map(([px, py]) => ({ x: px, y: py, name }))
      );
      const channels = { x: "x", y: "y" } as const;
      const stroke = series.length > 1 ? "name" : "currentColor";
      const marks = mark === "bar"
        ? [Plot.barY(rows, { ...channels, fill: stroke })]
        : mark === "dot"
        ? [
          Plot.dot(rows, {
            ...channels,
            stroke,
            r: 3,
            symbol: series.length > 1 ? "name" : "circle",
          }),
        ]
        : series.map(({ name }, i) =>
          Plot.line(rows.filter((row) => row.name === name), {
            ...channels,
            stroke,
            strokeWidth: 2,
            strokeDasharray: DASHES[i % DASHES.length]!,
            ...(rows.length < 200 && { marker: "circle-stroke" as const }),
          })
        );
      return svgOf(
        Plot.plot({
          ...common,
          height: 320,
          marginLeft: 60,
          ariaLabel: caption,
          x: { label: x.label, ...(mark === "bar" ? { type: "band" } : x.log && { type: "log" }) },
          y: { label: y.label, grid: true, ...(y.log && { type: "log" }) },
          color: { type: "categorical", legend: series.length > 1 },
          marks,
        }),
      );
    },
    heatmap({ rows, columns, values, caption }) {
      const low = Math.min(...values.flat()), high = Math.max(...values.flat());
      const cells = values.flatMap((row, r) => row.map((value, c) => ({ r, c, value })));
      return svgOf(
        Plot.plot({
          ...common,
          height: 60 + 26 * rows.length,
          marginLeft: 12 + 7 * Math.max(...rows.map((name) => name.length)),
          marginBottom: 90,
          ariaLabel: caption,
          x: {
            type: "band",
            tickFormat: (i: number) => columns[i] ?? "",
            tickRotate: -40,
            label: null,
          },
          y: { type: "band", tickFormat: (i: number) => rows[i] ?? "", label: null },
          // Numbers in the cells in place of a legend, which would need a canvas to be drawn.
          color: { scheme: "blues" },
          marks: [
            Plot.cell(cells, { x: "c", y: "r", fill: "value", inset: 0.5 }),
            Plot.text(cells, {
              x: "c",
              y: "r",
              text: (cell: { value: number }) => short(cell.value),
              fill: (cell: { value: number }) => cell.value > (low + high) / 2 ? "white" : "black",
            }),
          ],
        }),
      );
    },
  };
}

/**
 * The markup with the drawing as one image for assistive technology: names of its groups, which Plot
 * writes too, are not allowed within.
 */
function svgOf(node: { outerHTML: string }): string {
  return node.outerHTML
    .replaceAll(/(<g\b[^>]*?) aria-label="[^"]*"/g, "$1")
    .replaceAll(/<svg\b(?=[^>]* aria-label=)/g, '<svg role="img"');
}
