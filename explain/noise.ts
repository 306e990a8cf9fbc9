/**
 * `latent explain noise`: adding it, and knowing it when seen.
 *
 * @module
 */

import { Autoencoder } from "../pipeline/autoencoder.ts";
import { TorchCpuGenerator } from "../schedulers/random/torch_cpu.ts";
import { fromAlphaCumprod, sigma } from "../schedulers/level.ts";
import { toDenoised, toEpsilon } from "../schedulers/prediction.ts";
import { noiseSettings } from "../training/denoiser_graph.ts";
import { Denoiser } from "./denoiser.ts";
import { draw, latentsOf, moments, rmsDistance } from "./measure.ts";
import { atMost, type LabelledPicture, type Report } from "./report.ts";
import type { Laboratory, Topic } from "./topic.ts";

const PARTS = [0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.999];
const DECODED = new Set([0.05, 0.2, 0.4, 0.6, 0.8, 0.999]);

/** What was measured at one timestep. */
interface Row {
  readonly timestep: number;
  readonly signal: number;
  readonly sigma: number;
  readonly spread: number;
  readonly noiseError: number;
  readonly cleanError: number;
}

async function run(laboratory: Laboratory): Promise<Report> {
  const { sd, parts, builder, prompt, progress } = laboratory;
  progress("a picture");
  const picture = await draw(laboratory);
  using autoencoder = new Autoencoder(parts, builder);
  const latents = await latentsOf(autoencoder, picture), { data: clean } = latents;
  const noise = new TorchCpuGenerator(laboratory.seed).normal(clean.length);
  const { table, prediction } = noiseSettings(parts), last = table.alphasCumprod.length - 1;
  using denoiser = await Denoiser.open(laboratory, latents, prompt);

  const rows: Row[] = [], noisy: LabelledPicture[] = [], believed: LabelledPicture[] = [];
  for (const part of PARTS) {
    const timestep = Math.round(part * last);
    progress(`timestep ${timestep}`);
    const level = fromAlphaCumprod(timestep, table.alphasCumprod[timestep]!);
    const x = clean.map((v, i) => level.signal * v + level.noise * noise[i]!);
    const output = await denoiser.predict(x, timestep);
    const affine = (weights: { sample: number; output: number }) =>
      x.map((v, i) => weights.sample * v + weights.output * output[i]!);
    const said = affine(toEpsilon(prediction, level)), seen = affine(toDenoised(prediction, level));
    rows.push({
      timestep,
      signal: level.signal,
      sigma: sigma(level),
      spread: moments(x).deviation,
      noiseError: rmsDistance(said, noise) ** 2,
      cleanError: rmsDistance(seen, clean) ** 2,
    });
    if (!DECODED.has(part)) continue;
    const label = `t ${timestep}, σ ${sigma(level).toFixed(2)}`;
    noisy.push({ label, image: await sd.decode({ ...latents, data: x }) });
    believed.push({ label, image: await sd.decode({ ...latents, data: seen }) });
  }
  const cleanSize = moments(clean).deviation ** 2;
  const at = (share: number) => rows[PARTS.indexOf(share)]!;
  return {
    topic: "noise",
    title: "Noise",
    summary:
      "A diffusion model learns from pictures that were spoiled on purpose: noise is mixed " +
      "in, little or much, and the U-Net has to say which. With much noise that is easy, since " +
      "nearly all it sees is noise, and useless; with little it is hard, and what it says then is " +
      "where the last details lie. All of it together is the way from noise to a picture.",
    blocks: [
      {
        kind: "frames",
        caption: "A picture's latents as noise is mixed in, decoded",
        frames: noisy,
      },
      {
        kind: "frames",
        caption: `What the U-Net believes to be under it, told "${prompt}"`,
        frames: believed,
      },
      {
        kind: "table",
        caption: "At each timestep",
        columns: ["timestep", "signal a", "σ", "spread of the mix", "error of ε", "error of x₀"],
        rows: rows.map((
          r,
        ) => [r.timestep, r.signal, r.sigma, r.spread, r.noiseError, r.cleanError]),
      },
      {
        kind: "plot",
        caption: "Mean squared errors; saying nothing would cost 1 for the noise",
        x: { label: "noise level σ", log: true },
        y: { label: "mean squared error", log: true },
        series: [
          { name: "of the noise", points: rows.map((r) => [r.sigma, r.noiseError] as const) },
          { name: "of the picture", points: rows.map((r) => [r.sigma, r.cleanError] as const) },
        ],
      },
    ],
    claims: [
      atMost(
        "The error of the noise falls with more of it (at 0.9, of that at 0.1)",
        at(0.9).noiseError / at(0.1).noiseError,
        0.7,
      ),
      atMost(
        "while the error of the picture grows (at 0.1, of that at 0.9)",
        at(0.1).cleanError / at(0.9).cleanError,
        0.7,
      ),
      atMost(
        "The prediction is better than none (worst error of the noise)",
        Math.max(...rows.map((r) => r.noiseError)),
        1,
      ),
      atMost(
        "In the middle the U-Net sees more than noise (error of the picture, of its own spread)",
        at(0.5).cleanError / cleanSize,
        0.5,
      ),
    ],
    formulas: [{
      text: "xₜ = √ᾱₜ x₀ + √(1 − ᾱₜ) ε,   σ = √((1 − ᾱₜ)/ᾱₜ),   x₀ ≈ (xₜ − √(1 − ᾱₜ) ε̂)/√ᾱₜ",
      symbols: {
        "x₀": "clean latents",
        "ε": "noise N(0, I), and ε̂ what the U-Net says it is",
        "ᾱₜ": "share of the picture that is left at timestep t",
      },
      file: "schedulers/noise_table.ts",
      symbol: "noiseTable",
    }],
    papers: [
      "Ho, Jain, Abbeel 2020, Denoising Diffusion Probabilistic Models, arXiv:2006.11239",
      "Kingma, Salimans, Poole, Ho 2021, Variational Diffusion Models, arXiv:2107.00630",
    ],
  };
}

/** Adding noise, and knowing it when seen. */
export const noise: Topic = { run };
