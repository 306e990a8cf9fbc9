/**
 * `latent explain negative-prompt`: drawing away from words.
 *
 * @module
 */

import { draw, redness } from "./measure.ts";
import { atMost, type LabelledPicture, type Report } from "./report.ts";
import type { Laboratory, Topic } from "./topic.ts";

const SEEDS = 6;

async function run(laboratory: Laboratory): Promise<Report> {
  const prompt = laboratory.isEmbedded ? "a seven" : laboratory.prompt;
  const pictures: LabelledPicture[] = [], rows: (string | number)[][] = [];
  let without = 0, away = 0;
  for (let i = 0; i < SEEDS; i++) {
    const seed = BigInt(laboratory.seed) + BigInt(i);
    laboratory.progress(`seed ${seed}`);
    const plain = await draw(laboratory, { prompt, seed });
    const negative = await draw(laboratory, { prompt, seed, negativePrompt: "red" });
    pictures.push({ label: `seed ${seed}`, image: plain }, {
      label: "away from red",
      image: negative,
    });
    rows.push([String(seed), redness(plain), redness(negative)]);
    without += redness(plain) / SEEDS;
    away += redness(negative) / SEEDS;
  }
  return {
    topic: "negative-prompt",
    title: "Negative prompt",
    summary:
      "Guidance compares the prediction under the prompt with one under nothing. Put other words " +
      'in the place of nothing, and every step moves away from them: "red" there takes the red out.',
    blocks: [
      {
        kind: "pictures",
        caption: `"${prompt}" without and with the negative prompt "red"`,
        pictures,
        columns: 6,
      },
      {
        kind: "table",
        caption: "How far red stands above the other colours (mean over the picture)",
        columns: ["seed", "without", "negative prompt"],
        rows: [...rows, ["mean", without, away]],
      },
    ],
    claims: [
      atMost('The negative prompt "red" takes red away (ratio of the means)', away / without, 0.9),
    ],
    formulas: [{
      text: "ε = ε_neg + s · (ε_text − ε_neg)",
      symbols: {
        "ε_neg": "prediction under the negative prompt",
        "ε_text": "under the prompt",
        "s": "guidance scale",
      },
      file: "schedulers/guidance.ts",
      symbol: "classifierFreeGuidance",
    }],
    papers: ["Ho, Salimans 2022, Classifier-Free Diffusion Guidance, arXiv:2207.12598"],
  };
}

/** Drawing away from words. */
export const negativePrompt: Topic = { run };
