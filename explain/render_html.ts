/**
 * A report as one page that needs no network: text, plots, pictures, sliders; dark and light, on a
 * phone, by keyboard, read aloud, and printed.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { PlotDrawer } from "./plot_svg.ts";
import { type Block, type LabelledPicture, placeOf, type Report, short } from "./report.ts";

/** A place in the course. */
export interface PageLinks {
  /** File and title of the page before and after, and of the index. */
  readonly before?: readonly [file: string, title: string];
  readonly after?: readonly [file: string, title: string];
  readonly index?: string;
}

/** Renders a page. */
export async function renderHtml(
  report: Report,
  draw: PlotDrawer,
  links: PageLinks = {},
): Promise<string> {
  const blocks = await Promise.all(report.blocks.map((block, i) => blockHtml(block, i, draw)));
  return page(
    report.title,
    `${navigation(links)}
<main>
<h1>${escape(report.title)}</h1>
<p class="summary">${escape(report.summary)}</p>
${blocks.join("\n")}
${claimsHtml(report)}
${detailsHtml(report)}
</main>`,
  );
}

/** The index of a course. */
export function renderIndex(
  pages: readonly { file: string; title: string; about: string }[],
): string {
  const items = pages.map(({ file, title, about }) =>
    `<li><a href="${escape(file)}">${escape(title)}</a><br>${escape(about)}</li>`
  );
  return page(
    "Stable Diffusion, run live",
    `<main><h1>Stable Diffusion, run live</h1>
<p class="summary">Every page is an experiment that ran on your machine when you built this course.</p>
<ol class="index">${items.join("\n")}</ol></main>`,
  );
}

async function blockHtml(block: Block, index: number, draw: PlotDrawer): Promise<string> {
  switch (block.kind) {
    case "text":
      return block.text.split("\n").map((text) => `<p>${escape(text)}</p>`).join("\n");
    case "table":
      return figure(block.caption, tableHtml(block.columns, block.rows), "wide");
    case "plot":
      return figure(block.caption, draw.plot(block), "wide");
    case "heatmap":
      return figure(block.caption, draw.heatmap(block), "wide");
    case "pictures":
      return figure(block.caption, await picturesHtml(block.pictures, block.columns));
    case "frames":
      return figure(block.caption, await framesHtml(block.frames, `frames-${index}`));
  }
}

function figure(caption: string, content: string, kind = ""): string {
  // A wide figure scrolls by itself; then it must be reachable by keyboard.
  const scroll = kind === "wide"
    ? ` class="wide" tabindex="0" role="group" aria-label="${escape(caption)}"`
    : "";
  return `<figure><div${scroll}>${content}</div><figcaption>${
    escape(caption)
  }</figcaption></figure>`;
}

function tableHtml(
  columns: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const cell = (value: string | number) =>
    typeof value === "number" ? `<td class="n">${short(value)}</td>` : `<td>${escape(value)}</td>`;
  return `<table><thead><tr>${
    columns.map((name) => `<th scope="col">${escape(name)}</th>`).join("")
  }</tr></thead><tbody>${
    rows.map((row) => `<tr>${row.map(cell).join("")}</tr>`).join("\n")
  }</tbody></table>`;
}

async function picturesHtml(
  pictures: readonly LabelledPicture[],
  columns?: number,
): Promise<string> {
  const items = await Promise.all(
    pictures.map(async ({ label, image }) =>
      `<div class="picture"><img src="${await dataUrl(image)}" width="${image.width}" ` +
      `height="${image.height}" alt="${escape(label)}"><span>${escape(label)}</span></div>`
    ),
  );
  const style = columns ? ` style="--columns:${columns}"` : "";
  return `<div class="pictures"${style}>${items.join("")}</div>`;
}

/** A slider over frames; without scripts all of them are shown. */
async function framesHtml(frames: readonly LabelledPicture[], id: string): Promise<string> {
  const items = await picturesHtml(frames);
  return `<div class="frames" id="${id}">${items}
<label hidden>Step <input type="range" min="0" max="${frames.length - 1}" value="${
    frames.length - 1
  }" aria-controls="${id}"></label></div>`;
}

function claimsHtml({ claims }: Report): string {
  if (claims.length === 0) return "";
  return `<section aria-labelledby="claims"><h2 id="claims">What this run checked</h2>
<ul class="claims">${claims.map(claimHtml).join("")}</ul></section>`;
}

function claimHtml({ text, holds, measured }: Report["claims"][number]): string {
  const mark = holds ? "✓ holds" : "✗ wrong";
  return `<li class="${holds ? "holds" : "wrong"}"><strong>${mark}</strong> ${escape(text)} <span>${
    escape(measured)
  }</span></li>`;
}

function detailsHtml({ formulas, papers }: Report): string {
  if (formulas.length + papers.length === 0) return "";
  const items = formulas.map((formula) => {
    const { text, symbols } = formula;
    const names = Object.entries(symbols).map(([s, name]) =>
      `<dt>${escape(s)}</dt><dd>${escape(name)}</dd>`
    );
    return `<pre tabindex="0">${escape(text)}</pre><dl>${names.join("")}</dl><p>In <code>${
      escape(placeOf(formula))
    }</code></p>`;
  });
  const list = papers.map((paper) => `<li>${escape(paper)}</li>`).join("");
  return `<section aria-labelledby="deeper"><h2 id="deeper">The second reading</h2>${
    items.join("\n")
  }${list && `<h3>Papers</h3><ul>${list}</ul>`}</section>`;
}

function navigation({ before, after, index }: PageLinks): string {
  const link = (to: readonly [string, string] | undefined, rel: string) =>
    to ? `<a rel="${rel}" href="${escape(to[0])}">${escape(to[1])}</a>` : "<span></span>";
  if (!before && !after && !index) return "";
  return `<nav aria-label="Course">${link(before, "prev")}${
    link(index === undefined ? undefined : [index, "All topics"], "up")
  }${link(after, "next")}</nav>`;
}

async function dataUrl(image: LabelledPicture["image"]): Promise<string> {
  return `data:image/png;base64,${Buffer.from(await image.encode("png")).toString("base64")}`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
${body}
<script>${SCRIPT}</script>
</body>
</html>
`;
}

const STYLE = `
:root { color-scheme: light dark; --ink: #1c1b1a; --paper: #fdfcfa; --soft: #5c5853; --line: #d9d4cc;
  --good: #1a6b34; --bad: #a3221a; --accent: #1f4e8c; }
@media (prefers-color-scheme: dark) { :root { --ink: #ece8e1; --paper: #191816; --soft: #aaa49b;
  --line: #3a3733; --good: #7fd39a; --bad: #ff9d92; --accent: #9cc4ff; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 17px/1.55 system-ui, sans-serif; }
main, nav { max-width: 46rem; margin: 0 auto; padding: 1rem; }
nav { display: flex; justify-content: space-between; gap: 1rem; font-size: .9rem; }
a { color: var(--accent); }
h1 { font-size: 1.8rem; line-height: 1.2; margin: .5rem 0 1rem; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
.summary { font-size: 1.1rem; }
figure { margin: 1.5rem 0; }
figcaption { color: var(--soft); font-size: .9rem; margin-top: .4rem; }
.wide { overflow-x: auto; }
svg { max-width: none; color: var(--ink); }
table { border-collapse: collapse; font-size: .9rem; min-width: 50%; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: left; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
.pictures { display: flex; flex-wrap: wrap; gap: .8rem; }
.pictures[style] { display: grid; grid-template-columns: repeat(var(--columns), minmax(0, 1fr)); }
.picture { display: flex; flex-direction: column; gap: .2rem; width: 8rem; max-width: 100%; }
.pictures[style] .picture { width: auto; }
.picture img { width: 100%; height: auto; image-rendering: pixelated; border: 1px solid var(--line); }
.picture span { font-size: .8rem; color: var(--soft); overflow-wrap: anywhere; }
.live .picture { display: none; width: 16rem; }
.live .picture.now { display: flex; }
.live label { display: block; margin-top: .6rem; }
input[type=range] { width: min(24rem, 100%); }
.claims { padding-left: 0; list-style: none; }
.claims li { padding: .35rem .6rem; border-left: 4px solid var(--good); margin: .3rem 0; }
.claims .wrong { border-color: var(--bad); }
.claims strong { color: var(--good); } .claims .wrong strong { color: var(--bad); }
.claims span { color: var(--soft); font-size: .9rem; }
pre { overflow-x: auto; padding: .6rem; border: 1px solid var(--line); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem .8rem; font-size: .9rem; }
dd { margin: 0; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
@media print { nav, label { display: none !important; } .live .picture { display: flex !important; width: 6rem; } }
`;

const SCRIPT = `
for (const frames of document.querySelectorAll(".frames")) {
  const pictures = [...frames.querySelectorAll(".picture")], label = frames.querySelector("label");
  const input = label.querySelector("input");
  const show = () => pictures.forEach((p, i) => p.classList.toggle("now", i === Number(input.value)));
  frames.classList.add("live");
  label.hidden = false;
  input.addEventListener("input", show);
  show();
}
`;
