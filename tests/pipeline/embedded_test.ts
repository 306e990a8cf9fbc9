/** The model that comes with the program draws what it is asked for: colours measured in pixels. */

import assert from "node:assert/strict";
import { type Image, StableDiffusion } from "../../mod.ts";

/** What the names of colours mean, for ink and for backgrounds, in 0..255. */
const INK = {
  red: [220, 35, 40],
  green: [35, 160, 55],
  blue: [40, 75, 225],
  yellow: [248, 220, 40],
  white: [250, 250, 250],
  black: [18, 18, 22],
} as const;
const BACKGROUND = {
  red: [196, 92, 92],
  green: [104, 168, 112],
  blue: [100, 130, 204],
  yellow: [228, 212, 120],
  purple: [156, 108, 180],
  white: [232, 230, 224],
  black: [46, 46, 50],
} as const;

type Color = readonly [number, number, number];

const distance = (a: Color, b: Color) => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);

/** The name whose colour is nearest. */
function named(color: Color, names: Readonly<Record<string, Color>>): string {
  return Object.entries(names).sort((a, b) => distance(color, a[1]) - distance(color, b[1]))[0]![0];
}

function pixel({ data, width, channels }: Image, x: number, y: number): Color {
  const at = (y * width + x) * channels;
  return [data[at]!, data[at + 1]!, data[at + 2]!];
}

/** Median colour of the border, and mean colour of what is furthest from it. */
function colorsOf(image: Image): { background: Color; ink: Color } {
  const { width, height } = image, border: Color[] = [], all: Color[] = [];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      all.push(pixel(image, x, y));
      if (Math.min(x, y, width - 1 - x, height - 1 - y) < 3) border.push(all.at(-1)!);
    }
  }
  const median = (i: number) => border.map((c) => c[i]!).sort((a, b) => a - b)[border.length >> 1]!;
  const background: Color = [median(0), median(1), median(2)];
  all.sort((a, b) => distance(b, background) - distance(a, background));
  const inked = all.slice(0, 80);
  const mean = (i: number) => inked.reduce((sum, c) => sum + c[i]!, 0) / inked.length;
  return { background, ink: [mean(0), mean(1), mean(2)] };
}

Deno.test("the embedded model draws in the colours that the prompt names", async () => {
  await using sd = await StableDiffusion.open();
  const asked = [
    ["red", "seven", "blue"],
    ["yellow", "three", "purple"],
    ["white", "eight", "green"],
    ["blue", "one", "yellow"],
    ["black", "five", "white"],
    ["green", "nine", "black"],
  ] as const;
  for (const [seed, [ink, digit, background]] of asked.entries()) {
    const prompt = `a ${ink} ${digit} on a ${background} background`;
    const image = await sd.generate({ prompt, seed, steps: 12, scheduler: "DPM++ 2M" });
    const seen = colorsOf(image);
    assert.deepEqual(
      [named(seen.ink, INK), named(seen.background, BACKGROUND)],
      [ink, background],
      `${prompt}: ${seen.ink.map(Math.round)} on ${seen.background}`,
    );
  }
});

Deno.test("the embedded model's negative prompt takes a colour away", async () => {
  await using sd = await StableDiffusion.open();
  const isRed = (image: Image) => named(colorsOf(image).ink, INK) === "red";
  let plain = 0, away = 0;
  for (let seed = 0; seed < 6; seed++) {
    const options = { prompt: "a red or blue seven", seed, steps: 10, scheduler: "DPM++ 2M" };
    plain += Number(isRed(await sd.generate(options)));
    away += Number(isRed(await sd.generate({ ...options, negativePrompt: "red" })));
  }
  assert.ok(away < plain, `red ink in ${plain} of 6 without, ${away} with the negative prompt`);
});
