/**
 * `latent explain pipeline`: the way from a prompt to a picture, stage by stage.
 *
 * @module
 */

import type { Latents } from "../pipeline/autoencoder.ts";
import { elementCount, type TensorSource } from "../weights/stored_tensor.ts";
import { evenly, moments, rmsDistance } from "./measure.ts";
import { atLeast, atMost, type Claim, type LabelledPicture, type Report } from "./report.ts";
import type { Laboratory, Topic } from "./topic.ts";

const STEPS = 20;

/** What one stage took and gave. */
interface Stage {
  readonly name: string;
  readonly takes: string;
  readonly gives: string;
  readonly parameters: number;
  readonly seconds: number;
}

async function run(laboratory: Laboratory): Promise<Report> {
  const { sd, parts, prompt, seed, signal } = laboratory;
  const settings = sd.settings({ prompt, seed, steps: STEPS, ...(signal && { signal }) });
  const stages: Stage[] = [];
  const timed = async <T>(stage: Omit<Stage, "seconds">, work: () => Promise<T>): Promise<T> => {
    laboratory.progress(stage.name);
    const began = performance.now(), result = await work();
    stages.push({ ...stage, seconds: (performance.now() - began) / 1000 });
    return result;
  };
  const size = sd.startingNoise(settings), latentShape = shapeOf(size);
  const encoder = parts.textEncoders[0]!, tokens = encoder.tokenizer.encode(prompt);
  const picture = `[3, ${settings.height}, ${settings.width}]`;
  const states = `[${encoder.config.positions}, ${encoder.config.hiddenSize}]`;
  const words = tokens.eosIndex - 1;
  await timed({
    name: "text encoder",
    takes: `${words} tokens of ${encoder.config.positions}`,
    gives: states,
    parameters: countOf(parts.textEncoders.map(({ weights }) => weights)),
  }, () => sd.encode(prompt));
  const frames: { step: number; sigma: number; latents: Latents; denoised: Latents }[] = [];
  await timed({
    name: `U-Net, ${STEPS} steps, twice each`,
    takes: `${latentShape}, a timestep, ${states}`,
    gives: latentShape,
    parameters: countOf([parts.unet.weights]),
  }, async () => {
    for await (const { index, sigma, latents, denoised } of sd.denoise(settings)) {
      frames.push({ step: index + 1, sigma, latents, denoised });
    }
  });
  const last = frames.at(-1)!;
  const image = await timed({
    name: "decoder",
    takes: latentShape,
    gives: picture,
    parameters: countOf([parts.vae.weights], /^(decoder|post_quant_conv)\./),
  }, () => sd.decode(last.latents, settings));

  const pictures: LabelledPicture[] = [];
  for (const at of evenly(frames, 8)) {
    laboratory.progress(`decoding step ${at.step}`);
    pictures.push({
      label: `step ${at.step}, σ ${at.sigma.toFixed(2)}`,
      image: await sd.decode(at.denoised),
    });
  }
  const pixels = 3 * settings.width * settings.height, numbers = size.data.length;
  return {
    topic: "pipeline",
    title: "From a prompt to a picture",
    summary:
      "Stable Diffusion is three networks in a row. A text encoder turns the prompt into vectors. " +
      "A U-Net looks at noise, with those vectors beside it, and says what in it is noise; a " +
      "sampler takes a part of that away, and asks again. What is left is a small, dense " +
      "description of a picture, the latents, which a decoder turns into pixels.",
    blocks: [
      {
        kind: "table",
        caption: "The stages: what goes in, what comes out, what it took here",
        columns: ["stage", "takes", "gives", "parameters", "seconds"],
        rows: stages.map((s) => [s.name, s.takes, s.gives, s.parameters, s.seconds]),
      },
      {
        kind: "frames",
        caption: `"${prompt}": what the U-Net believes the clean picture to be, as the noise falls`,
        frames: pictures,
      },
      { kind: "pictures", caption: "The picture", pictures: [{ label: prompt, image }] },
    ],
    claims: claims({ pixels, numbers }, frames, image.data),
    formulas: [{
      text: "z = N(0, I) · s₀;  z ← a z + Σ bₖ Dₖ + c N(0, I);  picture = decoder(z / 0.18)",
      symbols: {
        "z": "latents",
        "s₀": "the first noise level",
        "a, bₖ, c": "the sampler's row of weights for this step",
        "Dₖ": "what the U-Net said now and before",
      },
      file: "schedulers/denoise.ts",
      symbol: "denoise",
    }],
    papers: [
      "Rombach et al. 2021, High-Resolution Image Synthesis with Latent Diffusion, arXiv:2112.10752",
    ],
  };
}

function claims(
  { pixels, numbers }: { pixels: number; numbers: number },
  frames: readonly { denoised: Latents }[],
  picture: Uint8ClampedArray,
): Claim[] {
  const end = frames.at(-1)!.denoised.data, early = rmsDistance(frames[0]!.denoised.data, end);
  const late = rmsDistance(frames.at(-3)!.denoised.data, end);
  return [
    atLeast(
      "The latents are smaller than the picture (numbers in one, of the other)",
      pixels / numbers,
      4,
    ),
    atMost(
      "The estimate comes nearer its end (last steps' distance, of the first's)",
      late / early,
      0.5,
    ),
    atLeast(
      "The picture is one: its channels vary (standard deviation of 255)",
      moments(picture).deviation,
      5,
    ),
  ];
}

/** Numbers in the networks' files, those of one part if a pattern is given. */
function countOf(
  sources: readonly TensorSource[],
  only = /./,
): number {
  let count = 0;
  for (const source of sources) {
    for (const name of source.names()) {
      if (only.test(name)) count += elementCount(source.get(name)!.shape);
    }
  }
  return count;
}

function shapeOf({ channels, height, width }: Latents): string {
  return `[${channels}, ${height}, ${width}]`;
}

/** The way from a prompt to a picture. */
export const pipeline: Topic = { run };
