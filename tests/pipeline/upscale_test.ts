import assert from "node:assert/strict";
import { join } from "node:path";
import { toOnnx } from "../../graph/onnx_write.ts";
import { conv } from "../../graph/ops/conv.ts";
import { resizeNearest } from "../../graph/ops/resize.ts";
import { constant, input } from "../../graph/value.ts";
import { fileURLToPath } from "node:url";
import { Image, StableDiffusion, upscale, Upscaler } from "../../mod.ts";
import { planTiles } from "../../pipeline/upscale_tiles.ts";

const MODEL = fileURLToPath(new URL("../golden/reference/models/sd1", import.meta.url));

/** An upscaler that blurs over five pixels and doubles: seams would show. */
async function writeUpscaler(path: string, side?: number): Promise<void> {
  const x = input("picture", "float32", [1, 3, side ?? 24, side ?? 24]);
  const weight = new Float32Array(3 * 25).fill(1 / 25);
  const blurred = conv(x, constant(weight, [3, 1, 5, 5]), undefined, {
    pads: [2, 2, 2, 2],
    group: 3,
  });
  const larger = resizeNearest(blurred, { scales: [2, 2] });
  await Deno.writeFile(path, toOnnx({ name: "upscaler", inputs: [x], outputs: { larger } }).bytes);
}

/** Every pixel differs from its neighbours. */
function picture(width: number, height: number): Image {
  const data = new Uint8ClampedArray(3 * width * height);
  for (let i = 0; i < data.length; i++) data[i] = (i * 37 + Math.floor(i / 90) * 11) % 256;
  return new Image(width, height, data);
}

Deno.test("upscale() hides the seams between tiles, also of pictures smaller than one", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = join(folder, "up.onnx");
    await writeUpscaler(path);
    for (const [width, height] of [[61, 40], [24, 24], [9, 30]] as const) {
      const image = picture(width, height);
      const larger = await upscale(image, path, { overlap: 6, threads: 1 });
      assert.deepEqual([larger.width, larger.height], [2 * width, 2 * height]);
      // Away from the border, where zeros are around, each pixel is the mean of 25.
      for (let y = 2; y < height - 2; y++) {
        for (let x = 2; x < width - 2; x++) {
          let sum = 0;
          for (let dy = -2; dy <= 2; dy++) {
            for (let dx = -2; dx <= 2; dx++) sum += image.data[3 * ((y + dy) * width + x + dx)]!;
          }
          const got = larger.data[3 * (2 * y * larger.width + 2 * x)]!;
          assert.ok(Math.abs(got - sum / 25) <= 0.51, `${width}x${height} at ${x},${y}`);
        }
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("generate() enlarges by an upscaler's file between two passes", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = join(folder, "up.onnx") as `${string}.onnx`;
    await writeUpscaler(path);
    await using sd = await StableDiffusion.open(MODEL, { threads: 1 });
    const hires = { scale: 1.5, strength: 0.5, steps: 2, upscale: path };
    const run = { prompt: "a fox", seed: 1, steps: 2, width: 64, height: 64, scheduler: "ddim" };
    const seen: string[] = [];
    for await (const { index, count, latents } of sd.denoise({ ...run, hires })) {
      seen.push(`${index}/${count} ${latents.width}`);
    }
    assert.deepEqual(seen, ["0/3 8", "1/3 8", "2/3 12"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("planTiles() gives every pixel to one tile", () => {
  for (
    const [width, height, side, overlap] of [[100, 70, 32, 8], [33, 32, 32, 4], [8, 8, 64, 16]]
  ) {
    const owners = new Uint8Array(width! * height!);
    const tiles = planTiles(
      { width: width!, height: height! },
      { width: side!, height: side! },
      overlap!,
    );
    for (const { x, y, keep } of tiles) {
      assert.ok(x >= 0 && y >= 0 && keep.left >= x && keep.right <= x + side!);
      for (let row = keep.top; row < keep.bottom; row++) {
        for (
          let column = keep.left;
          column < keep.right;
          column++
        ) owners[row * width! + column]!++;
      }
    }
    assert.ok(owners.every((count) => count === 1));
  }
  assert.throws(
    () => planTiles({ width: 99, height: 9 }, { width: 16, height: 16 }, 8),
    RangeError,
  );
});

Deno.test("Upscaler.open() says which file is not there", async () => {
  await assert.rejects(Upscaler.open("/nowhere/up.onnx"), /\/nowhere\/up\.onnx.*no such file/);
});
