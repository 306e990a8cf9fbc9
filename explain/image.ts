/**
 * `latent explain image FILE`: how a picture was made, and the way back to noise.
 *
 * @module
 */

import { Autoencoder } from "../pipeline/autoencoder.ts";
import { Image } from "../pipeline/image.ts";
import { readMetadata } from "../pipeline/metadata.ts";
import { fromAlphaCumprod } from "../schedulers/level.ts";
import { noiseSettings } from "../training/denoiser_graph.ts";
import { toDenoised, toEpsilon } from "../schedulers/prediction.ts";
import { Denoiser } from "./denoiser.ts";
import { draw, latentsOf, moments, psnr, rmsDistance } from "./measure.ts";
import { atLeast, atMost, type LabelledPicture, type Report } from "./report.ts";
import type { Laboratory, Topic } from "./topic.ts";

const STEPS = 24;

async function run(laboratory: Laboratory): Promise<Report> {
  const { sd, parts, builder, subject, progress } = laboratory;
  progress("the picture");
  const given = subject === undefined
    ? await draw(laboratory, { guidanceScale: 3 })
    : await Image.load(subject);
  const metadata = readMetadata(given);
  const prompt = metadata?.prompt ?? (subject === undefined ? laboratory.prompt : "");
  const { factor, sampleSize } = parts.vae.config;
  const side = sampleSize - sampleSize % factor;
  const picture = given.withoutAlpha().resize(side, side, "bicubic");
  using autoencoder = new Autoencoder(parts, builder);
  const clean = await latentsOf(autoencoder, picture);
  using denoiser = await Denoiser.open(laboratory, clean, prompt);
  progress("back to noise");
  const frames: LabelledPicture[] = [];
  const { table, prediction } = noiseSettings(parts), last = table.alphasCumprod.length - 1;
  const stops = Array.from({ length: STEPS + 1 }, (_, i) => Math.round(i * last / STEPS));
  /** DDIM from one timestep to another, either way: the same noise, at another level. */
  const step = async (x: Float32Array, from: number, to: number) => {
    const level = fromAlphaCumprod(from, table.alphasCumprod[from]!);
    const next = fromAlphaCumprod(to, table.alphasCumprod[to]!);
    const said = await denoiser.predict(x, from);
    const seen = toDenoised(prediction, level), heard = toEpsilon(prediction, level);
    return x.map((v, i) =>
      next.signal * (seen.sample * v + seen.output * said[i]!) +
      next.noise * (heard.sample * v + heard.output * said[i]!)
    );
  };
  let x = Float32Array.from(clean.data);
  for (let i = 0; i < STEPS; i++) {
    x = Float32Array.from(await step(x, stops[i]!, stops[i + 1]!));
    if (i % 8 === 7) {
      const image = await sd.decode({ ...clean, data: x });
      frames.push({ label: `timestep ${stops[i + 1]}`, image });
    }
  }
  const noise = x, shape = moments(noise);
  progress("and forward again");
  for (let i = STEPS; i > 0; i--) {
    x = Float32Array.from(await step(x, stops[i]!, stops[i - 1]!));
    if (i % 8 === 1) {
      const image = await sd.decode({ ...clean, data: x });
      frames.push({ label: `forward again: timestep ${stops[i - 1]}`, image });
    }
  }
  const again = await sd.decode({ ...clean, data: x });
  return {
    topic: "image",
    title: "A picture's way back",
    summary:
      "A sampler without fresh noise can be run backwards: from a picture to the noise that " +
      "it would have come from. Run forward again from there, the picture comes back, nearly: " +
      "every step asks the U-Net at the wrong end of the step, and a finite number of steps " +
      "leaves an error. Programs also write into a picture how it was made.",
    blocks: [
      {
        kind: "table",
        caption: metadata ? `What the file says (${metadata.source})` : "The file says nothing",
        columns: ["entry", "value"],
        rows: Object.entries(metadata ?? {})
          .filter(([, value]) => ["string", "number", "bigint"].includes(typeof value))
          .map(([key, value]) => [key, String(value).slice(0, 200)]),
      },
      {
        kind: "pictures",
        caption: "The picture, and after the way to noise and back",
        pictures: [{ label: "picture", image: picture }, { label: "came back", image: again }],
      },
      { kind: "frames", caption: `There and back in ${STEPS} steps each`, frames },
      {
        kind: "table",
        caption: "The noise at the end; what drawing begins in has mean 0, deviation 1",
        columns: ["mean", "deviation", "distance of the picture that came back (of 255)"],
        rows: [[shape.mean, shape.deviation, rmsDistance(again.data, picture.data)]],
      },
    ],
    claims: [
      atMost("The way back ends in noise: mean (absolute)", Math.abs(shape.mean), 0.5),
      atMost("and spread 1 (distance)", Math.abs(shape.deviation - 1), 0.5),
      atLeast("From there the picture comes back (PSNR in dB)", psnr(picture, again), 14),
    ],
    formulas: [{
      text: "x' = √ᾱ' · x̂₀(x, t) + √(1 − ᾱ') · ε̂(x, t),   for t' > t as well as t' < t",
      symbols: { "x̂₀, ε̂": "clean picture and noise as the U-Net sees them", "ᾱ'": "signal at t'" },
      file: "schedulers/prediction.ts",
      symbol: "toEpsilon",
    }],
    papers: [
      "Song, Meng, Ermon 2020, Denoising Diffusion Implicit Models, arXiv:2010.02502",
      "Mokady et al. 2022, Null-text Inversion, arXiv:2211.09794",
    ],
  };
}

/** How a picture was made, and the way back to noise. */
export const image: Topic = { run };
