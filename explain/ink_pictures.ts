/**
 * Pictures of something that the embedded model has no word for: digits in an ink of another colour.
 *
 * @module
 */

import { join } from "node:path";
import { Image } from "../pipeline/image.ts";
import { draw } from "./measure.ts";
import type { Laboratory } from "./topic.ts";

const DIGITS = ["seven", "three", "zero", "four"];

/** Red, green and blue, 0 to 255. */
export type Ink = readonly [red: number, green: number, blue: number];

/** A picture with its caption. */
export interface Captioned {
  readonly caption: string;
  readonly image: Image;
}

/** White digits that the model draws, recoloured; captions call the ink `word`. */
export async function inkPictures(
  laboratory: Laboratory,
  word: string,
  ink: Ink,
): Promise<Captioned[]> {
  const pictures: Captioned[] = [];
  for (const [i, digit] of DIGITS.entries()) {
    laboratory.progress(`a picture to learn from: ${digit}`);
    const white = await draw(laboratory, {
      prompt: `a bold white ${digit} on a black background`,
      seed: 100 + i,
      steps: 10,
      guidanceScale: 5,
    });
    const data = white.data.map((value, k) => value * ink[k % 3]! / 255);
    pictures.push({
      caption: `a bold ${word} ${digit} on a black background`,
      image: new Image(white.width, white.height, data),
    });
  }
  return pictures;
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

/** How near the colour of the drawn pixels, on black, is to `ink`: 1 the same, 0 the opposite. */
export function inkLikeness({ data }: Image, ink: Ink): number {
  let sum = 0, count = 0;
  for (let i = 0; i < data.length; i += 3) {
    const pixel = [data[i]!, data[i + 1]!, data[i + 2]!];
    if (Math.max(...pixel) < 100) continue;
    sum += Math.hypot(...pixel.map((v, c) => v - ink[c]!)) / Math.hypot(255, 255, 255);
    count++;
  }
  return count === 0 ? 0 : 1 - sum / count;
}
