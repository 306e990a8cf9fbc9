/**
 * `latent explain latents`: what the U-Net works on.
 *
 * @module
 */

import { plane } from "./planes.ts";
import { draw, moments, rmsDistance, rows } from "./measure.ts";
import { atLeast, atMost, type Report } from "./report.ts";
import type { Laboratory, Topic } from "./topic.ts";

async function run(laboratory: Laboratory): Promise<Report> {
  const { sd, prompt, seed } = laboratory;
  const settings = sd.settings({ prompt, seed, steps: 20, scheduler: "DPM++ 2M" });
  const start = sd.startingNoise(settings), levels: [number, number][] = [], frames = [];
  let last = start;
  for await (const { index, latents, denoised, sigma } of sd.denoise(settings)) {
    last = latents;
    levels.push([index + 1, moments(latents.data).deviation]);
    if (index % 3 === 0) {
      laboratory.progress(`decoding step ${index + 1}`);
      frames.push({
        label: `step ${index + 1}: noisy, σ ${sigma.toFixed(2)}`,
        image: await sd.decode(latents),
      });
      frames.push({ label: `step ${index + 1}: as believed`, image: await sd.decode(denoised) });
    }
  }
  const channels = rows(last.data, last.height * last.width);
  const shuffled = await sd.decode({ ...last, data: last.data.map((v) => Math.round(v * 8) / 8) });
  const picture = await sd.decode(last), again = await draw(laboratory, { steps: 20 });
  return {
    topic: "latents",
    title: "Latents",
    summary: "The U-Net does not draw pixels. It works on latents: a few small maps in which an " +
      "autoencoder packs the whole picture. They are far fewer numbers, so every step is cheap; " +
      "and they tolerate being wrong a little, so noise and rounding do no harm.",
    blocks: [
      {
        kind: "pictures",
        caption:
          `The ${last.channels} channels of the finished latents, ${last.width} x ${last.height} each, and the picture`,
        pictures: [
          ...channels.map((values, c) => ({
            label: `channel ${c}`,
            image: plane(values, last.width, last.height),
          })),
          { label: "decoded", image: picture },
        ],
      },
      {
        kind: "table",
        caption: "Each channel's numbers at the end",
        columns: ["channel", "mean", "standard deviation"],
        rows: channels.map((values, c) => {
          const { mean, deviation } = moments(values);
          return [String(c), mean, deviation];
        }),
      },
      {
        kind: "frames",
        caption: "The run, decoded: what it is, and what the U-Net believes",
        frames,
      },
      {
        kind: "plot",
        caption: "Spread of the latents on the way from noise to picture",
        x: { label: "step" },
        y: { label: "standard deviation" },
        series: [{ name: "latents", points: levels }],
      },
    ],
    claims: [
      atMost(
        "The starting noise has mean 0 (absolute value)",
        Math.abs(moments(start.data).mean),
        0.15,
      ),
      atMost("and spread 1 (distance)", Math.abs(moments(start.data).deviation - 1), 0.15),
      atMost(
        "Latents rounded to eighths decode to nearly the same picture (of 255)",
        rmsDistance(shuffled.data, picture.data),
        12,
      ),
      atLeast(
        "The same seed gives the same picture (equal bytes)",
        Number(same(picture.data, again.data)),
        1,
      ),
    ],
    formulas: [],
    papers: ["Rombach et al. 2021, Latent Diffusion, arXiv:2112.10752"],
  };
}

function same(a: Uint8ClampedArray, b: Uint8ClampedArray): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

/** What the U-Net works on. */
export const latents: Topic = { run };
