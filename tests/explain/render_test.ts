import assert from "node:assert/strict";
import {
  plotDrawer,
  renderHtml,
  renderIndex,
  renderJson,
  renderText,
  type Report,
} from "../../explain/mod.ts";
import { Image } from "../../mod.ts";

const picture = (label: string) => ({
  label,
  image: new Image(2, 2, new Uint8ClampedArray(12).fill(128)),
});

const REPORT: Report = {
  topic: "trial",
  title: "A <trial> & error",
  summary: "One paragraph that is long enough to be wrapped at eighty columns, as a terminal has.",
  blocks: [
    { kind: "text", text: "Some words." },
    {
      kind: "table",
      caption: "Numbers",
      columns: ["name", "value"],
      rows: [["a", 1.23456], ["b", 2e-9]],
    },
    {
      kind: "plot",
      caption: "Error by steps",
      x: { label: "steps", log: true },
      y: { label: "error", log: true },
      series: [
        { name: "first", points: [[1, 1], [10, 0.1], [100, NaN]] },
        { name: "second", points: [[1, 2], [10, 0.5]] },
      ],
    },
    {
      kind: "heatmap",
      caption: "Who likes whom",
      rows: ["x", "y"],
      columns: ["p", "q"],
      values: [[0, 1], [2, 3]],
    },
    { kind: "pictures", caption: "Two", pictures: [picture("left"), picture("right")] },
    {
      kind: "frames",
      caption: "A film",
      frames: [picture("one"), picture("two"), picture("three")],
    },
  ],
  claims: [
    { text: "It holds", holds: true, measured: "1" },
    { text: "It does not", holds: false, measured: "2" },
  ],
  formulas: [{
    text: "a = b",
    symbols: { a: "one", b: "other" },
    file: "explain/report.ts",
    symbol: "atMost",
  }],
  papers: ["Somebody 2020, arXiv:0000.00000"],
};

Deno.test("renderText() keeps to 80 columns and says which claims are wrong", () => {
  const text = renderText(REPORT, { columns: 120 });
  for (const line of text.split("\n")) assert.ok([...line].length <= 80, line);
  assert.match(text, /ok\s+It holds \[1\]/);
  assert.match(text, /WRONG\s+It does not \[2\]/);
  assert.match(text, /\[2x2\] left/);
});

Deno.test("renderText() draws pictures in colours where there are some", () => {
  assert.match(renderText(REPORT, { color: true }), /\x1b\[38;2;128;128;128;48;2;128;128;128m▀/);
});

Deno.test("renderHtml() makes one page that asks the network for nothing", async () => {
  const html = await renderHtml(REPORT, await plotDrawer(), { after: ["next.html", "Next"] });
  assert.match(html, /<title>A &lt;trial&gt; &amp; error<\/title>/);
  const references = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]!);
  assert.ok(references.length > 5);
  for (const url of references) assert.match(url, /^(data:|next\.html$)/);
  assert.doesNotMatch(html.replaceAll(/xmlns(:\w+)?="[^"]*"/g, ""), /https?:/);
  assert.equal([...html.matchAll(/<img [^>]*alt="[^"]+"/g)].length, 5);
  assert.match(html, /<input type="range" min="0" max="2"/);
  assert.match(html, /class="wrong"><strong>✗ wrong<\/strong> It does not/);
});

Deno.test("renderJson() is one line that gives back every number and picture", async () => {
  const line = await renderJson(REPORT);
  assert.ok(!line.includes("\n"));
  const report = JSON.parse(line);
  assert.deepEqual(report.blocks[1].rows, [["a", 1.23456], ["b", 2e-9]]);
  const png = Uint8Array.from(atob(report.blocks[4].pictures[0].image.png), (c) => c.charCodeAt(0));
  assert.deepEqual((await Image.load(png)).data, picture("").image.data);
});

Deno.test("renderIndex() links every page", () => {
  const html = renderIndex([{ file: "a.html", title: "A", about: "about a" }]);
  assert.match(html, /<a href="a\.html">A<\/a><br>about a/);
});
