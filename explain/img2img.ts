/**
 * `latent explain img2img`: beginning in a picture.
 *
 * @module
 */

import { draw, rmsDistance } from "./measure.ts";
import { atLeast, type Report } from "./report.ts";
import type { Laboratory, Topic } from "./topic.ts";

const STRENGTHS = [0.2, 0.4, 0.6, 0.8, 1];
const STEPS = 20;

async function run(laboratory: Laboratory): Promise<Report> {
  const { sd, isEmbedded } = laboratory;
  const [from, to] = isEmbedded
    ? ["a bold green three on a yellow background", "a bold green eight on a yellow background"]
    : [laboratory.prompt, `${laboratory.prompt}, in the snow`];
  laboratory.progress("the picture to begin in");
  const start = await draw(laboratory, { prompt: from });
  const results = [];
  for (const strength of STRENGTHS) {
    laboratory.progress(`strength ${strength}`);
    const options = { prompt: to, image: start, strength, steps: STEPS, guidanceScale: 5 };
    const image = await draw(laboratory, options);
    const { stages } = sd.plan({ ...options, scheduler: "DPM++ 2M" });
    results.push({ strength, image, calls: stages.length, sigma: stages[0]!.sigma });
  }
  const distances = results.map(({ image }) => rmsDistance(image.data, start.data));
  return {
    topic: "img2img",
    title: "Image to image",
    summary:
      "Instead of pure noise, a run can begin in a picture: it is encoded, noise is added as if " +
      "the run had come half-way, and only the rest of the steps is done. The strength says how " +
      "much of the run that is: low strength keeps shapes and colours, 1 keeps nothing.",
    blocks: [
      {
        kind: "pictures",
        caption: `From "${from}" to "${to}"`,
        pictures: [
          { label: "the beginning", image: start },
          ...results.map(({ strength, image }) => ({ label: `strength ${strength}`, image })),
        ],
      },
      {
        kind: "table",
        caption: `Where each strength enters a run of ${STEPS} steps`,
        columns: ["strength", "U-Net calls", "first noise level σ", "distance to the beginning"],
        rows: results.map((
          { strength, calls, sigma },
          i,
        ) => [strength, calls, sigma, distances[i]!]),
      },
    ],
    claims: [
      atLeast(
        "More strength takes the picture further away (distance at 1, of that at 0.2)",
        distances.at(-1)! / distances[0]!,
        1.2,
      ),
      {
        text: "Each strength does its part of the steps",
        holds: results.every(({ strength, calls }) => calls === Math.floor(STEPS * strength)),
        measured: results.map(({ calls }) => calls).join(", "),
      },
    ],
    formulas: [{
      text:
        "z = √ᾱₜ · encode(picture) + √(1 − ᾱₜ) · N(0, I),  t = timestep number (1 − strength) · n",
      symbols: { "ᾱₜ": "how much of the picture is left at timestep t", "n": "number of steps" },
      file: "pipeline/starting_point.ts",
      symbol: "fromImage",
    }],
    papers: ["Meng et al. 2021, SDEdit, arXiv:2108.01073"],
  };
}

/** Beginning in a picture. */
export const img2img: Topic = { run };
