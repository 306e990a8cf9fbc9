import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { canny, Image, invert, tile } from "../../mod.ts";

const GOLDEN = fileURLToPath(new URL("../golden/preprocess/", import.meta.url));
const picture = () => Image.load(join(GOLDEN, "picture.png"));

for (const [low, high] of [[100, 200], [40, 90], [150, 150]] as const) {
  Deno.test(`canny() equals OpenCV's with thresholds ${low} and ${high}`, async () => {
    const expected = await Image.load(join(GOLDEN, `canny_${low}_${high}.png`));
    const edges = canny(await picture(), { low, high }).toGray();
    assert.ok(edges.includes(255));
    assert.deepEqual(edges, expected.toGray());
  });
}

Deno.test("invert() turns colours around and keeps alpha", () => {
  const inverted = invert(new Image(1, 1, Uint8ClampedArray.of(0, 100, 255, 7)));
  assert.deepEqual([...inverted.data], [255, 155, 0, 7]);
});

Deno.test("tile() keeps the size and the mean, and loses detail", async () => {
  const image = await picture(), blurred = tile(image, 8);
  assert.deepEqual([blurred.width, blurred.height], [image.width, image.height]);
  const mean = (of: Image) => of.data.reduce((sum, value) => sum + value, 0) / of.data.length;
  assert.ok(Math.abs(mean(blurred) - mean(image)) < 1);
  const detail = (of: Image) =>
    of.data.reduce((sum, v, i) => sum + Math.abs(v - of.data[i - 3]!) || sum, 0);
  assert.ok(detail(blurred) < detail(image) / 2);
  assert.deepEqual(tile(image, 1).data, image.data);
  assert.throws(() => tile(image, 0), RangeError);
});
