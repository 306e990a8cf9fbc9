/**
 * `latent explain inpaint`: painting a part anew.
 *
 * @module
 */

import { Image } from "../pipeline/image.ts";
import { draw } from "./measure.ts";
import { atLeast, atMost, type Report } from "./report.ts";
import type { Laboratory, Topic } from "./topic.ts";

const STEPS = 15;

async function run(laboratory: Laboratory): Promise<Report> {
  const { isEmbedded, prompt, progress } = laboratory;
  const [from, to] = isEmbedded
    ? ["a bold green three on a yellow background", "a bold red seven"]
    : [prompt, `${prompt}, a red door`];
  progress("the picture");
  const start = await draw(laboratory, { prompt: from }), { width, height } = start;
  const mask = middle(width, height, 0.85);
  const options = { prompt: to, image: start, mask, steps: STEPS, guidanceScale: 5 };
  progress("painting");
  const painted = await draw(laboratory, options);
  progress("painting, pasted back");
  const pasted = await draw(laboratory, { ...options, pasteBack: true });
  progress("everything anew");
  const whole = await draw(laboratory, { ...options, mask: middle(width, height, 2) });
  const changes = [painted, pasted, whole].map((image) => ({
    inside: change(start, image, mask, true),
    outside: change(start, image, mask, false),
  }));
  const names = ["kept in latents", "and pasted back", "without a mask"];
  const [kept, exact, free] = changes;
  return {
    topic: "inpaint",
    title: "Inpainting",
    summary: "To paint a part anew, the run is held to the rest: after every step, what lies " +
      "outside the mask is replaced by the original with as much noise as the step has left. The " +
      "U-Net always sees true surroundings and fits the new part to them. Outside, the picture " +
      "passes through the autoencoder once; pasting its pixels back leaves it exactly as it was.",
    blocks: [
      {
        kind: "pictures",
        caption: `From "${from}", the middle painted as "${to}"`,
        pictures: [
          { label: "the picture", image: start },
          { label: "mask: white is painted", image: mask },
          ...[painted, pasted, whole].map((image, i) => ({ label: names[i]!, image })),
        ],
      },
      {
        kind: "table",
        caption: "Mean change of a channel, of 255",
        columns: ["run", "inside the mask", "outside"],
        rows: changes.map(({ inside, outside }, i) => [names[i]!, inside, outside]),
      },
    ],
    claims: [
      atLeast("The masked part changes (mean of 255)", kept!.inside, 10),
      atMost("the rest less: only where strokes cross the edge (mean of 255)", kept!.outside, 12),
      atMost("and pasted back not at all", exact!.outside, 0),
      atLeast("Without a mask the rest changes more (times)", free!.outside / kept!.outside, 1.5),
    ],
    formulas: [{
      text: "z ← m ⊙ z + (1 − m) ⊙ (√ᾱₜ z₀ + √(1 − ᾱₜ) ε),  after every step",
      symbols: {
        "m": "mask, 1 where it is painted",
        "z₀": "the original's latents",
        "ε": "noise N(0, I), one for the whole run",
      },
      file: "pipeline/run_start.ts",
      symbol: "startRun",
    }],
    papers: [
      "Lugmayr et al. 2022, RePaint, arXiv:2201.09865",
      "Avrahami, Fried, Lischinski 2022, Blended Latent Diffusion, arXiv:2206.02779",
    ],
  };
}

/** White in the middle `share` of both sides, black around it. */
function middle(width: number, height: number, share: number): Image {
  const data = new Uint8ClampedArray(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const far = Math.max(
        Math.abs(2 * x + 1 - width) / width,
        Math.abs(2 * y + 1 - height) / height,
      );
      if (far < share) data.fill(255, 3 * (y * width + x), 3 * (y * width + x + 1));
    }
  }
  return new Image(width, height, data);
}

/** Mean absolute change where the mask is white, or black. */
function change(a: Image, b: Image, mask: Image, white: boolean): number {
  let sum = 0, count = 0;
  for (let i = 0; i < a.data.length; i++) {
    if ((mask.data[i]! > 127) !== white) continue;
    sum += Math.abs(a.data[i]! - b.data[i]!);
    count++;
  }
  return sum / count;
}

/** Painting a part anew. */
export const inpaint: Topic = { run };
