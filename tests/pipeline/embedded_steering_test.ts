/** Steering the model that comes with the program: what is asked for shows in the pixels. */

import assert from "node:assert/strict";
import { Image, StableDiffusion } from "../../mod.ts";

const RUN = { steps: 12, scheduler: "dpm++2m" } as const;

/** Mean of how far red is above the other two channels. */
function redness({ data }: Image): number {
  let sum = 0;
  for (let i = 0; i < data.length; i += 3) {
    sum += Math.max(0, data[i]! - Math.max(data[i + 1]!, data[i + 2]!));
  }
  return sum / (data.length / 3);
}

/** Distance of every pixel from the background, the median of the first row. */
function contrast({ width, data }: Image): number[] {
  const median = (c: number) =>
    Array.from({ length: width }, (_, x) => data[3 * x + c]!).sort((a, b) => a - b)[width >> 1]!;
  const background = [median(0), median(1), median(2)];
  return Array.from(
    { length: data.length / 3 },
    (_, i) => Math.hypot(...background.map((value, c) => data[3 * i + c]! - value)),
  );
}

/** Parts of the background that the stroke encloses: two in an eight, none in a three. */
function holes(image: Image): number {
  const { width, height } = image, distances = contrast(image), most = Math.max(...distances);
  const seen = Uint8Array.from(distances, (distance) => distance > most * 0.45 ? 1 : 0);
  const sizes: number[] = [];
  for (let start = 0; start < seen.length; start++) {
    const open = seen[start] ? [] : [start];
    let size = 0;
    seen[start] = 1;
    for (let i = open.pop(); i !== undefined; i = open.pop(), size++) {
      const x = i % width, neighbours = [i - width, i + width];
      if (x > 0) neighbours.push(i - 1);
      if (x < width - 1) neighbours.push(i + 1);
      for (const next of neighbours) {
        if (next < 0 || next >= width * height || seen[next]) continue;
        seen[next] = 1;
        open.push(next);
      }
    }
    if (size > 3) sizes.push(size);
  }
  return sizes.length - 1;
}

Deno.test("a three becomes an eight in its own colours at strength 0.6", async () => {
  await using sd = await StableDiffusion.open();
  let before = 0, after = 0;
  for (const seed of [1, 5, 7]) {
    const three = await sd.generate({ ...RUN, seed, prompt: "a red three on a blue background" });
    const prompt = "a red eight on a blue background";
    const again = { ...RUN, seed: seed + 50, prompt, image: three, strength: 0.6 };
    const eight = await sd.generate(again);
    before += holes(three);
    after += holes(eight);
    for (const c of [0, 1, 2]) {
      const mean = ({ data }: Image) =>
        data.reduce((sum, value, i) => i % 3 === c ? sum + value : sum, 0) / (data.length / 3);
      assert.ok(Math.abs(mean(eight) - mean(three)) < 20, `channel ${c} of seed ${seed}`);
    }
  }
  // Seen: 0 holes in the threes, 5 in the eights.
  assert.ok(after >= before + 3, `${before} holes, then ${after}`);
});

Deno.test('the negative prompt "red" lowers red', async () => {
  await using sd = await StableDiffusion.open();
  let plain = 0, without = 0;
  for (const seed of [3, 4, 5, 6]) {
    const run = { ...RUN, seed, prompt: "a seven" };
    plain += redness(await sd.generate(run)) / 4;
    without += redness(await sd.generate({ ...run, negativePrompt: "red" })) / 4;
  }
  // Seen: 50 of 255 without, 24 with the negative prompt.
  assert.ok(without < 0.7 * plain, `${plain.toFixed(1)}, then ${without.toFixed(1)}`);
});

Deno.test("inpainting changes the mask, and with pasteBack nothing else", async () => {
  await using sd = await StableDiffusion.open();
  const image = await sd.generate({ ...RUN, seed: 4, prompt: "a white one on a black background" });
  const { width, height } = image, half = new Uint8ClampedArray(3 * width * height);
  for (let i = 0; i < width * height; i++) {
    if (i % width >= width / 2) half.fill(255, 3 * i, 3 * i + 3);
  }
  const mask = new Image(width, height, half);
  const run = { ...RUN, seed: 9, prompt: "a yellow background", image, mask };
  const painted = await sd.generate({ ...run, pasteBack: true });
  let inside = 0;
  image.data.forEach((value, i) => {
    const isMasked = Math.floor(i / 3) % width >= width / 2;
    if (isMasked) inside += Math.abs(painted.data[i]! - value);
    else assert.equal(painted.data[i], value);
  });
  assert.ok(inside / (image.data.length / 2) > 10);
});
