/** A colour that no caption names, learned from eight pictures: see bench/training_learned.ts. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { type Colour, distance, inkOf, medianColour } from "../../bench/training_ink.ts";
import { Image, StableDiffusion } from "../../mod.ts";
import { trainTextualInversion } from "../../training/mod.ts";
import { finished, inFolder, pictures } from "./run.ts";

// On yellow, black and purple grounds the word draws other inks: eight pictures do not show those.
const DIGITS = ["seven", "eight", "zero", "four"], GROUNDS = ["blue", "orange", "green", "orange"];

/** The median ink of four digits that are asked for in a colour. */
async function inkAskedFor(sd: StableDiffusion, word: string): Promise<Colour> {
  const inks: Colour[] = [];
  for (const [i, digit] of DIGITS.entries()) {
    const prompt = `a ${word} ${digit} on a ${GROUNDS[i]} background`;
    const options = { prompt, seed: 104 + i, steps: 12, guidanceScale: 5 };
    inks.push(inkOf(await sd.generate({ ...options, scheduler: "DPM++ 2M" })));
  }
  return medianColour(inks);
}

Deno.test("textual inversion learns the colour teal: measured in what is drawn", () =>
  inFolder(async (folder) => {
    const images = pictures("teal"), output = join(folder, "teal.safetensors");
    const word = { images, token: "<teal>", initWord: "blue", vectors: 3 };
    await finished(trainTextualInversion({ ...word, output, steps: 100 }));
    const shown = await Promise.all(
      Array.from({ length: 8 }, (_, i) => Image.load(join(images, `teal-${i + 1}.png`))),
    );
    const teal = medianColour(shown.map(inkOf));
    await using sd = await StableDiffusion.open(undefined, { embeddings: [output] });
    const before = distance(await inkAskedFor(sd, "blue"), teal);
    const after = distance(await inkAskedFor(sd, "<teal>"), teal);
    assert.ok(before > 90, `the word that it began as is ${before} away`);
    assert.ok(after < 0.7 * before, `the new word's ink is ${after} away, ${before} before`);
  }));
