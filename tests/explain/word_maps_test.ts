import assert from "node:assert/strict";
import { correlation, inkOf, wordMaps } from "../../explain/word_maps.ts";
import { Image } from "../../pipeline/image.ts";
import { ClipTokenizer } from "../../pipeline/tokenizer.ts";

Deno.test("wordMaps() adds up the pieces of a word, in the finest layers", async () => {
  const tokenizer = await ClipTokenizer.clip(), prompt = "red artstation";
  const { ids } = tokenizer.encode(prompt), tokens = ids.length;
  const fine = new Float32Array(4 * tokens), coarse = new Float32Array(tokens).fill(9);
  // Place 0 looks at "red", place 1 at both pieces of the other word, the rest at the start.
  fine[1 * 4 + 0] = 1;
  fine[2 * 4 + 1] = 0.25;
  fine[3 * 4 + 1] = 0.75;
  fine[2] = fine[3] = 1;
  const { side, maps, sumError } = wordMaps(tokenizer, prompt, [fine, coarse]);
  assert.equal(side, 2);
  assert.deepEqual(maps.map(({ word }) => word), ["red", "artstation"]);
  assert.deepEqual(maps.map(({ map }) => [...map]), [[1, 0, 0, 0], [0, 1, 0, 0]]);
  assert.equal(sumError, 0);
});

Deno.test("inkOf() is how far a place's colour is from the corner's", () => {
  const image = new Image(2, 1, Uint8ClampedArray.of(10, 20, 30, 10, 120, 30)).resize(
    2,
    2,
    "nearest",
  );
  assert.deepEqual([...inkOf(image, 2)], [0, 100, 0, 100]);
});

Deno.test("correlation() is 1 for what rises together and -1 for what does not", () => {
  const a = Float32Array.of(1, 2, 3), b = Float32Array.of(5, 7, 9), c = Float32Array.of(3, 2, 1);
  assert.ok(Math.abs(correlation(a, b) - 1) < 1e-6);
  assert.ok(Math.abs(correlation(a, c) + 1) < 1e-6);
});
