import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import golden from "../golden/image.json" with { type: "json" };
import { Image } from "../../pipeline/image.ts";
import { ImageError } from "../../pipeline/image_error.ts";
import { pngChunks } from "../../pipeline/png_chunks.ts";
import { addPngText, readPngText } from "../../pipeline/png_text.ts";

const png = () => new Uint8Array(Buffer.from(golden.texts.file, "base64"));

Deno.test("readPngText reads Pillow's tEXt, zTXt and iTXt, compressed or not", () => {
  assert.deepEqual(Object.fromEntries(readPngText(png())), golden.texts.texts);
});

Deno.test("addPngText adds texts and leaves every other chunk as it was", async () => {
  const added = addPngText(png(), { Software: "latent", Title: "夜明け" });
  assert.deepEqual(Object.fromEntries(readPngText(added)), {
    ...golden.texts.texts,
    Software: "latent",
    Title: "夜明け",
  });
  const pixels = (bytes: Uint8Array) =>
    [...pngChunks(bytes, "test")].filter(({ type }) => type === "IDAT").map(({ data }) => data);
  assert.deepEqual(pixels(added), pixels(png()));
  assert.deepEqual((await Image.load(added)).data, (await Image.load(png())).data);
});

Deno.test("addPngText writes tEXt where Latin-1 will do and iTXt where not", () => {
  const added = addPngText(png(), { a: "café", b: "東京" });
  const types = [...pngChunks(added, "test")].map(({ type, data }) => `${type} ${data[0]}`);
  assert.ok(types.includes("tEXt 97"), types.join());
  assert.ok(types.includes("iTXt 98"), types.join());
});

Deno.test("addPngText replaces a text of the same keyword", () => {
  const twice = addPngText(addPngText(png(), { parameters: "one" }), { parameters: "two" });
  const texts = [...pngChunks(twice, "test")].filter(({ data }) =>
    Buffer.from(data).toString("latin1").startsWith("parameters\0")
  );
  assert.equal(texts.length, 1);
  assert.equal(readPngText(twice).get("parameters"), "two");
});

Deno.test("addPngText keeps a keyword like __proto__ and an empty text", () => {
  const texts = readPngText(addPngText(png(), JSON.parse('{"__proto__": "x", "empty": ""}')));
  assert.equal(texts.get("__proto__"), "x");
  assert.equal(texts.get("empty"), "");
});

Deno.test("addPngText refuses keywords and texts that PNG cannot hold", () => {
  for (const keyword of ["", " a", "a ", "a  b", "東", "a\0", "x".repeat(80)]) {
    assert.throws(() => addPngText(png(), { [keyword]: "text" }), TypeError, keyword);
  }
  assert.throws(() => addPngText(png(), { key: "a\0b" }), /TypeError.*zero character/);
});

Deno.test("readPngText refuses other files and damaged ones", () => {
  const broken = png();
  broken[60]! ^= 1;
  assert.throws(() => readPngText(broken, "x.png"), /ImageError.*x\.png.*damaged/);
  assert.throws(() => readPngText(new Uint8Array(20)), ImageError);
});
