import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { extendCanvas, Image, OptionError, StableDiffusion } from "../../mod.ts";
import { blurGray } from "../../pipeline/image_blur.ts";
import { maskedArea } from "../../pipeline/outpaint_area.ts";
import { preparePainting } from "../../pipeline/outpaint_painting.ts";

const GOLDEN = fileURLToPath(new URL("../golden/", import.meta.url));

function filled(width: number, height: number, value: (x: number, y: number) => number): Image {
  const data = new Uint8ClampedArray(3 * width * height);
  for (let i = 0; i < width * height; i++) {
    data.fill(value(i % width, Math.floor(i / width)), 3 * i, 3 * i + 3);
  }
  return new Image(width, height, data);
}

Deno.test("blurGray() equals Pillow's Gaussian blur", async () => {
  const mask = await Image.load(join(GOLDEN, "steering/mask.png"));
  const blurred = await Image.load(join(GOLDEN, "steering/mask_blurred.png"));
  assert.deepEqual(blurGray(mask.toGray(), mask, 3), blurred.toGray());
});

Deno.test("extendCanvas() repeats the border and marks what is new", () => {
  const { image, mask } = extendCanvas(filled(3, 2, (x, y) => 10 * x + y), { left: 2, bottom: 1 });
  assert.deepEqual([image.width, image.height], [5, 3]);
  assert.deepEqual([...image.toGray()], [0, 0, 0, 10, 20, 1, 1, 1, 11, 21, 1, 1, 1, 11, 21]);
  assert.deepEqual([...mask.toMask()], [1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1]);
  assert.throws(() => extendCanvas(image, { top: -1 }), /top must be a whole number.*got -1/);
});

Deno.test("maskedArea() widens to the run's proportions within the picture", () => {
  const mask = filled(100, 60, (x, y) => (x >= 90 && y >= 10 && y < 30 ? 255 : 0));
  const square = maskedArea(mask, { width: 64, height: 64 }, 0);
  assert.deepEqual(square, { x: 80, y: 10, width: 20, height: 20 });
  const padded = maskedArea(mask, { width: 128, height: 64 }, 5);
  assert.deepEqual(padded, { x: 40, y: 5, width: 60, height: 30 });
  const black = filled(10, 10, () => 0);
  assert.throws(() => maskedArea(black, { width: 8, height: 8 }, 0), /all black/);
});

Deno.test("preparePainting() gives the original back outside the mask", () => {
  const image = filled(20, 20, (x) => 10 * x), mask = filled(20, 20, (x) => (x < 8 ? 255 : 0));
  const white = filled(16, 16, () => 255);
  for (const options of [{ maskedPadding: 2 }, { pasteBack: true }]) {
    const { finish } = preparePainting({ image, mask, ...options }, { width: 16, height: 16 });
    const done = finish(white), width = done.width;
    const expected = image.resize(width, done.height).toGray();
    for (const [i, value] of done.toGray().entries()) {
      const x = i % width;
      if (x > width / 2) assert.equal(value, expected[i]);
      if (x < width / 4) assert.equal(value, 255);
    }
  }
});

Deno.test("generate() extends, varies and refuses in one line", async () => {
  await using sd = await StableDiffusion.open(join(GOLDEN, "reference/models/sd1"), { threads: 1 });
  const sized = { prompt: "a fox", seed: 3, steps: 1 }, small = { ...sized, width: 64, height: 64 };
  const image = filled(64, 48, (x, y) => x + y);
  const grown = await sd.generate({ ...sized, image, extend: { right: 32 }, pasteBack: true });
  assert.deepEqual([grown.width, grown.height], [96, 48]);
  assert.deepEqual(grown.crop(0, 0, 64, 48).toGray(), image.toGray());
  const noise = (options: object) => sd.startingNoise(sd.settings({ ...small, ...options })).data;
  const plain = noise({}), other = noise({ seed: 9 });
  assert.deepEqual(noise({ variationSeed: 9, variationStrength: 0 }), plain);
  const far = noise({ variationSeed: 9, variationStrength: 1 });
  assert.ok(far.every((value, i) => Math.abs(value - other[i]!) < 1e-6));
  const wrong: readonly [object, RegExp][] = [
    [{ extend: { left: 8 } }, /extending needs the image/],
    [{ image, mask: filled(64, 48, () => 0), maskedPadding: 4 }, /mask is all black/],
    [{ depth: image }, /does not see depth/],
    [{ variationSeed: 4 }, /needs both its seed and its strength/],
    [{ pasteBack: true }, /pasteBack needs a mask/],
    [{ skipLayerScale: 2, skippedLayers: ["up_blocks.9"] }, /no attention in up_blocks.9/],
    [{ imageGuidanceScale: 2 }, /only InstructPix2Pix/],
    [{ hires: { upscale: "sharper" } }, /Cannot enlarge by sharper/],
    [{ image, mask: filled(64, 48, () => 90) }, /mask is nowhere half bright/],
    [{ maskedPadding: 0 }, /maskedPadding needs a mask/],
    [{ image, extend: { left: 0 } }, /mask is all black/],
    [{ prompt: "<lora:nowhere:1>" }, /names the LoRA nowhere/],
    [{ prompt: "{a|b} __x__", wildcards: "nowhere" }, /nowhere is no folder/],
  ];
  for (const [options, message] of wrong) {
    await assert.rejects(
      sd.generate({ ...small, ...options }),
      (error: Error) => error instanceof OptionError && message.test(error.message),
      String(message),
    );
  }
});

Deno.test("generate() with hires paints the mask in both passes and keeps the rest", async () => {
  await using sd = await StableDiffusion.open(join(GOLDEN, "reference/models/sd1"), { threads: 1 });
  const image = filled(64, 64, (x, y) => (x ^ y) & 8 ? 200 : 60);
  const mask = filled(64, 64, (x) => (x < 32 ? 255 : 0));
  const run = { prompt: "a fox", seed: 3, steps: 2, image, mask };
  const expected = image.resize(128, 128);
  for (const upscale of ["latent", "lanczos"] as const) {
    const hires = { scale: 2, upscale, strength: 0.6 };
    const whole = await sd.generate({ ...run, hires, pasteBack: true });
    assert.deepEqual([whole.width, whole.height], [128, 128]);
    const right = (of: Image) => of.crop(80, 0, 48, 128).data;
    assert.deepEqual(right(whole), right(expected));
    assert.notDeepEqual(whole.crop(0, 0, 48, 128).data, expected.crop(0, 0, 48, 128).data);
    const area = await sd.generate({ ...run, hires, maskedPadding: 0 });
    assert.deepEqual([area.width, area.height], [64, 64]);
    assert.deepEqual(area.crop(40, 0, 24, 64).data, image.crop(40, 0, 24, 64).data);
  }
});
