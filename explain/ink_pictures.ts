/**
 * Pictures of something that the embedded model has no word for: digits in an ink of another colour.
 *
 * @module
 */

import { join } from "node:path";
import { Image } from "../pipeline/image.ts";
import { withArticle } from "../training/embedded/captions.ts";
import { draw } from "./measure.ts";
import type { Laboratory } from "./topic.ts";

const DIGITS = ["seven", "three", "zero", "four"], GROUNDS = ["blue", "orange", "green", "red"];

/** Red, green and blue, 0 to 255. */
export type Ink = readonly [red: number, green: number, blue: number];

/** A picture with its caption. */
export interface Captioned {
  readonly caption: string;
  readonly image: Image;
}

/** White digits that the model draws on four grounds, recoloured; captions call the ink `word`. */
export async function inkPictures(
  laboratory: Laboratory,
  word: string,
  ink: Ink,
): Promise<Captioned[]> {
  const pictures: Captioned[] = [];
  for (const [i, digit] of DIGITS.entries()) {
    laboratory.progress(`a picture to learn from: ${digit}`);
    const ground = `on ${withArticle(GROUNDS[i]!)} background`;
    const white = await draw(laboratory, {
      prompt: `a bold white ${digit} ${ground}`,
      seed: 100 + i,
      steps: 10,
      guidanceScale: 5,
    });
    pictures.push({ caption: `a bold ${word} ${digit} ${ground}`, image: recoloured(white, ink) });
  }
  return pictures;
}

/** The picture with `ink` in place of white, as much as a pixel is on the way to white. */
function recoloured({ width, height, data }: Image, ink: Ink): Image {
  const [ground, white] = [colourAt(data, 0), [255, 255, 255]];
  const way = white.map((value, c) => value - ground[c]!);
  const length = way.reduce((sum, value) => sum + value ** 2, 0);
  const out = data.slice();
  for (let i = 0; i < data.length; i += 3) {
    const gone = way.reduce((sum, value, c) => sum + value * (data[i + c]! - ground[c]!), 0);
    const share = Math.min(1, Math.max(0, gone / length));
    for (let c = 0; c < 3; c++) out[i + c] = data[i + c]! + share * (ink[c]! - white[c]!);
  }
  return new Image(width, height, out);
}

/** Writes pictures with their captions as a folder to train from. */
export async function writePictures(
  folder: string,
  pictures: readonly Captioned[],
): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  for (const [i, { image, caption }] of pictures.entries()) {
    await image.save(join(folder, `${i}.png`));
    await Deno.writeTextFile(join(folder, `${i}.txt`), caption);
  }
}

/**
 * How near the colour of the drawn pixels, those farthest from the corner's colour, is to `ink`: 1
 * the same, 0 the opposite.
 */
export function inkLikeness({ data }: Image, ink: Ink): number {
  const ground = colourAt(data, 0);
  const pixels = Array.from({ length: data.length / 3 }, (_, i) => colourAt(data, 3 * i));
  pixels.sort((a, b) => apart(b, ground) - apart(a, ground));
  const drawn = pixels.slice(0, Math.ceil(pixels.length / 20));
  const mean = drawn.reduce((sum, pixel) => sum + apart(pixel, ink), 0) / drawn.length;
  return 1 - mean / Math.hypot(255, 255, 255);
}

function colourAt(data: ArrayLike<number>, i: number): Ink {
  return [data[i]!, data[i + 1]!, data[i + 2]!];
}

function apart(a: Ink, b: Ink): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}
