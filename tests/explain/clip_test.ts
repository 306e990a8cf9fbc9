import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { openRuntime } from "../../ffi/runtime.ts";
import { Clip } from "../../explain/clip.ts";
import { openLaboratory } from "../../explain/laboratory.ts";

// Opened outside of any test, because it is never closed.
openRuntime();

const SD1 = fileURLToPath(new URL("../golden/reference/models/sd1", import.meta.url));

Deno.test("a model without an image encoder is helped out by the embedded pair, which is noted", async () => {
  await using laboratory = await openLaboratory(SD1);
  const clip = await Clip.open(laboratory);
  assert.equal(laboratory.notes.length, 1);
  assert.match(laboratory.notes[0]!, /sd1 has no image encoder .*stands in for it/);
  const [red, again, green] = await clip.texts(["a red one", "a red one", "a green two"]);
  const cosine = (a: Float32Array, b: Float32Array) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
  assert.ok(cosine(red!, again!) > 0.999);
  assert.ok(cosine(red!, green!) < 0.8);
});

Deno.test("the embedded model needs no help", async () => {
  await using laboratory = await openLaboratory(undefined);
  await Clip.open(laboratory);
  assert.deepEqual(laboratory.notes, []);
});
