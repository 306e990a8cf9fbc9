/**
 * `latent explain autoencoder`: a picture in few numbers, and back.
 *
 * @module
 */

import { Autoencoder } from "../pipeline/autoencoder.ts";
import type { Image } from "../pipeline/image.ts";
import { draw, latentsOf, psnr } from "./measure.ts";
import { atLeast, atMost, type LabelledPicture, type Report } from "./report.ts";
import type { Laboratory, Topic } from "./topic.ts";

const BITS = [1, 2, 3, 4, 5, 6, 8];
const STEPS_BETWEEN = 5;

async function run(laboratory: Laboratory): Promise<Report> {
  const { parts, builder, prompt, isEmbedded, progress } = laboratory;
  const others = isEmbedded ? "a green three on a yellow background" : `${prompt}, at night`;
  progress("two pictures");
  const first = await draw(laboratory), second = await draw(laboratory, { prompt: others });
  using autoencoder = new Autoencoder(parts, builder);
  progress("encoding");
  const a = await latentsOf(autoencoder, first), b = await latentsOf(autoencoder, second);
  const decode = (data: Float32Array) => autoencoder.decode({ ...a, data });
  const { channels, data: { length: count } } = a;
  const back = await decode(a.data);
  const rounded: { bits: number; image: Image; quality: number }[] = [];
  for (const bits of BITS) {
    progress(`${bits} bits`);
    const image = await decode(quantized(a.data, bits));
    rounded.push({ bits, image, quality: psnr(first, image) });
  }
  const alone: LabelledPicture[] = [];
  for (let c = 0; c < channels; c++) {
    const area = a.height * a.width;
    const only = a.data.map((v, i) => Math.floor(i / area) === c ? v : 0);
    alone.push({ label: `channel ${c} alone`, image: await decode(only) });
  }
  const walk: LabelledPicture[] = [];
  for (let i = 0; i < STEPS_BETWEEN; i++) {
    const t = i / (STEPS_BETWEEN - 1);
    const mixed = await decode(a.data.map((v, k) => (1 - t) * v + t * b.data[k]!));
    walk.push({ label: `latents, t ${t}`, image: mixed });
  }
  const pixels = first.data.length, exact = psnr(first, back);
  const worst = rounded[0]!, best = rounded.at(-1)!;
  return {
    topic: "autoencoder",
    title: "Autoencoder",
    summary: "An autoencoder is two networks with a narrow place between them: one packs a " +
      "picture into few numbers, the other unpacks them. Trained on nothing but giving back what " +
      "came in, it learns which details matter. Diffusion happens in the narrow place, where " +
      "there is less to do.",
    blocks: [
      {
        kind: "pictures",
        caption:
          `There and back: ${pixels} numbers as ${count}; the picture was drawn by this very ` +
          "model, which is the easy case",
        pictures: [{ label: "picture", image: first }, { label: "unpacked", image: back }],
      },
      {
        kind: "plot",
        caption: "How good the picture comes back when each latent is rounded to a few bits",
        x: { label: "bits for each latent" },
        y: { label: "PSNR in dB" },
        series: [{ name: "PSNR", points: rounded.map((r) => [r.bits, r.quality] as const) }],
      },
      {
        kind: "table",
        caption: "The same as sizes; the picture itself takes 24 bits a pixel",
        columns: ["bits a latent", "bytes", "times smaller", "PSNR in dB"],
        rows: rounded.map(({ bits, quality }) => [
          bits,
          count * bits / 8,
          8 * pixels / (count * bits),
          quality,
        ]),
      },
      {
        kind: "frames",
        caption: "Latents rounded to a few bits",
        frames: rounded.map(({ bits, image }) => ({ label: `${bits} bits`, image })),
      },
      { kind: "pictures", caption: "What each channel says without the others", pictures: alone },
      {
        kind: "pictures",
        caption: "A walk between two pictures' latents, unpacked",
        pictures: walk,
        columns: STEPS_BETWEEN,
      },
    ],
    claims: [
      atLeast("The picture comes back (PSNR in dB)", exact, 20),
      atLeast("from fewer numbers (times)", pixels / count, 4),
      atMost("8 bits a latent lose nearly nothing more (dB)", exact - best.quality, 1),
      atLeast("1 bit does lose (dB)", exact - worst.quality, 3),
    ],
    formulas: [
      {
        text: "z = (μ(x) + σ(x) · N(0, I)) · s;  x ≈ decoder(z / s)",
        symbols: {
          "μ, σ": "mean and deviation that the encoder says",
          "s": `scaling factor ${parts.vae.config.scalingFactor}, so that latents have spread 1`,
        },
        file: "models/vae_latents.ts",
        symbol: "latentsFromMoments",
      },
      {
        text: "L = |x − decoder(z)|² + β · KL(N(μ, σ²) ‖ N(0, 1))",
        symbols: { "KL": "how far the latents are from N(0, 1); β is small" },
        file: "training/losses.ts",
        symbol: "gaussianKl",
      },
    ],
    papers: [
      "Kingma, Welling 2013, Auto-Encoding Variational Bayes, arXiv:1312.6114",
      "Rombach et al. 2021, High-Resolution Image Synthesis with Latent Diffusion, arXiv:2112.10752",
    ],
  };
}

/** Rounded to 2^bits levels between the smallest and the largest value. */
function quantized(data: Float32Array, bits: number): Float32Array {
  const low = data.reduce((a, b) => Math.min(a, b)), high = data.reduce((a, b) => Math.max(a, b));
  const step = (high - low) / (2 ** bits - 1);
  return data.map((value) => low + step * Math.round((value - low) / step));
}

/** A picture in few numbers, and back. */
export const autoencoder: Topic = { run };
