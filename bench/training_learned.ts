/**
 * Has a training learned what the pictures show? Draws six digits with a learned word, and with
 * known ones, and measures the colour of the ink; or with a LoRA and without, and counts how often
 * a row changes between ink and background (2 for a solid stroke, about 5 for the outlines shown).
 *
 *     deno run -A bench/training_learned.ts [--model DIR] --embedding FILE --word "<teal>"
 *     deno run -A bench/training_learned.ts [--model DIR] --lora FILE
 *
 * @module
 */

import { join } from "node:path";
import { parseArgs } from "node:util";
import { Image, StableDiffusion } from "../mod.ts";
import { type Colour, crossings, distance, inkOf, medianColour } from "./training_ink.ts";

const EXAMPLES = join(import.meta.dirname!, "../tests/golden/digits-examples");
const DIGITS = ["six", "nine", "three", "one", "seven", "eight"];
const GROUNDS = ["white", "yellow", "black", "white", "blue", "orange"];
const INKS = ["red", "blue", "green", "purple", "white", "black"];

/** The eight pictures of a set. */
async function shown(set: "teal" | "outline"): Promise<Image[]> {
  const numbers = Array.from({ length: 8 }, (_, i) => i + 1);
  return await Promise.all(numbers.map((i) => Image.load(join(EXAMPLES, set, `${set}-${i}.png`))));
}

/** Six pictures, in an ink each. */
async function drawn(sd: StableDiffusion, ink: (i: number) => string): Promise<Image[]> {
  const images: Image[] = [];
  for (const [i, digit] of DIGITS.entries()) {
    const prompt = `a ${ink(i)} ${digit} on a ${GROUNDS[i]} background`;
    const options = { prompt, seed: 100 + i, steps: 12, guidanceScale: 5 };
    images.push(await sd.generate({ ...options, scheduler: "DPM++ 2M" }));
  }
  return images;
}

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    embedding: { type: "string" },
    word: { type: "string", default: "<teal>" },
    lora: { type: "string" },
  },
});

if (values.embedding !== undefined) {
  const teal: Colour = medianColour((await shown("teal")).map(inkOf));
  console.log(`the pictures show ${teal}`);
  await using sd = await StableDiffusion.open(values.model, { embeddings: [values.embedding] });
  for (const word of ["green", "blue", values.word]) {
    const inks = (await drawn(sd, () => word)).map(inkOf), median = medianColour(inks);
    const each = inks.map((ink) => distance(ink, teal).toFixed(0)).join(" ");
    console.log(`${word}: median ${median}, ${distance(median, teal).toFixed(0)} away (${each})`);
  }
}
if (values.lora !== undefined) {
  const mean = (images: readonly Image[]) =>
    (images.reduce((sum, image) => sum + crossings(image), 0) / images.length).toFixed(2);
  console.log(`the pictures show ${mean(await shown("outline"))} changes a row`);
  for (const weight of [0, 1]) {
    const loras = [{ path: values.lora, weight }];
    await using sd = await StableDiffusion.open(values.model, { loras });
    console.log(`LoRA at ${weight}: ${mean(await drawn(sd, (i) => `outline ${INKS[i]}`))}`);
  }
}
