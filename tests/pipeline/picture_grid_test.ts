import assert from "node:assert/strict";
import { Image } from "../../pipeline/image.ts";
import { pictureGrid } from "../../pipeline/picture_grid.ts";
import { GLYPH_HEIGHT, GLYPH_WIDTH, glyphOf } from "../../pipeline/picture_grid_font.ts";
import { wrapLabel } from "../../pipeline/picture_grid_label.ts";

function filled(width: number, height: number, ...color: number[]): Image {
  const data = new Uint8ClampedArray(width * height * color.length);
  return new Image(width, height, data.map((_, i) => color[i % color.length]!));
}

function pixel(image: Image, x: number, y: number): number[] {
  const at = 3 * (y * image.width + x);
  return [...image.data.subarray(at, at + 3)];
}

/** Rows of dots and hashes: where a part of the sheet has the text's colour. */
function drawing(image: Image, left: number, top: number, width: number, height: number): string[] {
  return Array.from({ length: height }, (_, y) =>
    Array.from(
      { length: width },
      (_, x) => pixel(image, left + x, top + y)[0] === 0 ? "#" : ".",
    ).join(""));
}

const RED = [255, 0, 0], WHITE = [255, 255, 255];

Deno.test("pictureGrid puts pictures row by row, with gaps between and around", () => {
  const pictures = [10, 20, 30, 40, 50].map((gray) => filled(6, 4, gray, gray, gray));
  const grid = pictureGrid(pictures, { gap: 2 });
  assert.deepEqual([grid.width, grid.height, grid.channels], [3 * 6 + 4 * 2, 2 * 4 + 3 * 2, 3]);
  assert.deepEqual(pixel(grid, 2, 2), [10, 10, 10]);
  assert.deepEqual(pixel(grid, 18, 2), [30, 30, 30]);
  assert.deepEqual(pixel(grid, 10, 8), [50, 50, 50]);
  assert.deepEqual(pixel(grid, 18, 8), WHITE, "an empty cell");
  assert.deepEqual([pixel(grid, 1, 2), pixel(grid, 8, 2)], [WHITE, WHITE]);
});

Deno.test("pictureGrid makes cells as large as the largest and centres the others", () => {
  const grid = pictureGrid([
    filled(2, 2, ...RED),
    undefined,
    filled(6, 4, ...RED),
    filled(1, 8, ...RED),
  ], {
    columns: 2,
    gap: 0,
  });
  assert.deepEqual([grid.width, grid.height], [6 + 1, 2 + 8]);
  assert.deepEqual([pixel(grid, 1, 0), pixel(grid, 2, 0), pixel(grid, 4, 1)], [WHITE, RED, WHITE]);
  assert.deepEqual([pixel(grid, 0, 3), pixel(grid, 0, 4), pixel(grid, 5, 7)], [WHITE, RED, RED]);
});

Deno.test("pictureGrid shows the background behind clear pixels", () => {
  const grid = pictureGrid([filled(1, 1, 255, 255, 255, 51)], {
    gap: 0,
    background: [0, 100, 200],
  });
  assert.deepEqual(pixel(grid, 0, 0), [51, 131, 211]);
});

Deno.test("pictureGrid draws labels above, beside and below", () => {
  const options = { gap: 1, columnLabels: ["A"], rowLabels: ["I"], captions: ["!"] };
  const grid = pictureGrid([filled(20, 30, ...RED)], options);
  const side = 1 + GLYPH_WIDTH, header = 1 + GLYPH_HEIGHT;
  assert.deepEqual([grid.width, grid.height], [side + 22, header + 32 + GLYPH_HEIGHT]);
  assert.deepEqual(drawing(grid, side + 1 + 7, 1, GLYPH_WIDTH, GLYPH_HEIGHT), [
    "......",
    "......",
    "..#...",
    ".#.#..",
    "#...#.",
    "#...#.",
    "#...#.",
    "#####.",
    "#...#.",
    "#...#.",
    "#...#.",
    "......",
    "......",
  ]);
  const inkIn = (left: number, top: number) =>
    drawing(grid, left, top, GLYPH_WIDTH, GLYPH_HEIGHT).join("").includes("#");
  assert.ok(inkIn(1, header + 1 + 8), "the row's label");
  assert.ok(inkIn(side + 1 + 7, header + 1 + 30), "the caption");
});

Deno.test("pictureGrid writes light on dark", () => {
  const grid = pictureGrid([filled(20, 8, ...RED)], { background: [20, 20, 20], captions: ["x"] });
  assert.ok(grid.data.some((value, i) => value === 255 && i % 3 === 2));
});

Deno.test("pictureGrid widens small pictures' columns to their words, and enlarges large ones' text", () => {
  const small = pictureGrid([filled(8, 8, ...RED)], { gap: 0, columnLabels: ["Euler ancestral"] });
  assert.equal(small.width, "ancestral".length * GLYPH_WIDTH);
  const large = pictureGrid([filled(1024, 8, ...RED)], { gap: 0, columnLabels: ["Euler"] });
  assert.equal(large.height, 8 + 4 * GLYPH_HEIGHT);
});

Deno.test("wrapLabel breaks at spaces, in long words, and cuts what is too long", () => {
  assert.deepEqual(wrapLabel("a lighthouse at dawn", 12, 9), ["a lighthouse", "at dawn"]);
  assert.deepEqual(wrapLabel("abcdefghij", 4, 9), ["abcd", "efgh", "ij"]);
  assert.deepEqual(wrapLabel("x abcdefghij", 4, 9), ["x", "abcd", "efgh", "ij"]);
  assert.deepEqual(wrapLabel("a\nb", 9, 9), ["a", "b"]);
  assert.deepEqual(wrapLabel("one two three four", 5, 2), ["one", "tw..."]);
  assert.deepEqual(wrapLabel("東京東京", 2, 9), ["東京", "東京"]);
  assert.deepEqual(wrapLabel("", 5, 2), [""]);
  for (const columns of [1, 2, 3, 7]) {
    const lines = wrapLabel("some words, and averyverylongword\nhere", columns, 3);
    assert.ok(lines.length <= 3 && lines.every((line) => [...line].length <= columns));
  }
});

Deno.test("glyphOf has a glyph for every printable character of ASCII, and a box for others", () => {
  const seen = new Map<string, string>();
  for (let code = 0x21; code < 0x7f; code++) {
    const character = String.fromCodePoint(code), rows = String(glyphOf(character));
    assert.ok(/[1-9]/.test(rows), character);
    assert.equal(seen.get(rows), undefined, character);
    seen.set(rows, character);
  }
  assert.ok(glyphOf(" ").every((row) => row === 0));
  assert.deepEqual(glyphOf("東"), glyphOf("🌅"));
  assert.ok(!seen.has(String(glyphOf("東"))));
  assert.equal(glyphOf("東").length, GLYPH_HEIGHT);
});

Deno.test("pictureGrid refuses what makes no sheet", () => {
  const one = [filled(4, 4, ...RED)];
  assert.throws(() => pictureGrid([]), /RangeError.*no pictures/);
  assert.throws(() => pictureGrid(one, { columns: 0 }), /RangeError.*got 0/);
  assert.throws(() => pictureGrid(one, { gap: -1 }), /RangeError.*got -1/);
  assert.throws(() => pictureGrid(one, { textScale: 0.5 }), /RangeError.*got 0.5/);
  assert.throws(() => pictureGrid(one, { background: [0, 0, 300] }), /RangeError.*300/);
  assert.throws(
    () => pictureGrid(one, { columns: 1, columnLabels: ["a", "b"] }),
    /2 column labels/,
  );
  assert.throws(() => pictureGrid(one, { rowLabels: ["a", "b"] }), /2 row labels for 1 rows/);
  assert.throws(() => pictureGrid(one, { captions: ["a", "b"] }), /2 captions for 1 pictures/);
});
