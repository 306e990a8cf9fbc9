/**
 * `latent explain guidance`: what the guidance scale does.
 *
 * @module
 */

import type { Image } from "../pipeline/image.ts";
import { rms } from "./measure.ts";
import { atLeast, type Claim, type LabelledPicture, type Report } from "./report.ts";
import type { Laboratory, Topic } from "./topic.ts";

const SCALES = [1, 2, 4, 7.5, 12, 20];
const STEPS = 15;

/** One picture at one scale, and how its latents grew. */
interface Run {
  readonly scale: number;
  readonly image: Image;
  /** Norm of the clean estimate after each step, relative to its number of elements. */
  readonly norms: readonly number[];
  /** Share of the picture's channels that are clipped. */
  readonly clipped: number;
}

async function draw({ sd, prompt, seed, signal }: Laboratory, guidanceScale: number): Promise<Run> {
  const options = { prompt, seed, steps: STEPS, guidanceScale, scheduler: "DPM++ 2M" };
  const settings = sd.settings({ ...options, ...(signal && { signal }) });
  const norms: number[] = [];
  let last;
  for await (const { latents, denoised } of sd.denoise(settings)) {
    norms.push(rms(denoised.data));
    last = latents;
  }
  const image = await sd.decode(last!, settings);
  const clipped = image.data.filter((v) => v === 0 || v === 255).length / image.data.length;
  return { scale: guidanceScale, image, norms, clipped };
}

async function run(laboratory: Laboratory): Promise<Report> {
  const runs: Run[] = [];
  for (const scale of SCALES) {
    laboratory.progress(`guidance scale ${scale}`);
    runs.push(await draw(laboratory, scale));
  }
  const pictures: LabelledPicture[] = runs.map(({ scale, image }) => ({
    label: `${scale}`,
    image,
  }));
  return {
    topic: "guidance",
    title: "Guidance scale",
    summary:
      "The U-Net is asked twice in every step: once with the prompt, once without. The difference " +
      "is what the prompt means. Guidance follows that difference further than the model itself " +
      "would go: at 1 it is the model's own answer, above 1 the prompt counts for more, and far " +
      "above it the picture is overdone.",
    blocks: [
      {
        kind: "pictures",
        caption: `"${laboratory.prompt}", the same noise, at each guidance scale`,
        pictures,
      },
      {
        kind: "plot",
        caption: "Size of the clean estimate while it is drawn: guidance makes it grow",
        x: { label: "step" },
        y: { label: "root mean square of the latents" },
        series: runs.map(({ scale, norms }) => ({
          name: `${scale}`,
          points: norms.map((norm, i) => [i + 1, norm] as const),
        })),
      },
      {
        kind: "table",
        caption: "What it does to the picture",
        columns: ["scale", "latents' size", "clipped channels"],
        rows: runs.map(({ scale, norms, clipped }) => [scale, norms.at(-1)!, clipped]),
      },
    ],
    claims: claims(runs),
    formulas: [{
      text: "ε = ε∅ + s · (ε_text − ε∅)",
      symbols: {
        "ε": "noise that the step removes",
        "ε∅": "prediction under the empty or negative prompt",
        "ε_text": "prediction under the prompt",
        "s": "guidance scale",
      },
      file: "schedulers/guidance.ts",
      symbol: "classifierFreeGuidance",
    }],
    papers: [
      "Ho, Salimans 2022, Classifier-Free Diffusion Guidance, arXiv:2207.12598",
      "Lin, Liu, Li, Yang 2023, Common Diffusion Noise Schedules and Sample Steps are Flawed, arXiv:2305.08891",
    ],
  };
}

function claims(runs: readonly Run[]): Claim[] {
  const first = runs[0]!, last = runs.at(-1)!;
  const growth = last.norms.at(-1)! / first.norms.at(-1)!;
  return [
    atLeast("The strongest guidance leaves larger latents than none", growth, 1.02),
    atLeast("and clips more of the picture", last.clipped - first.clipped, 0),
  ];
}

/** What the guidance scale does. */
export const guidance: Topic = { run };
