/**
 * `latent explain digits`: following a slope from noise to a digit.
 *
 * @module
 */

import { grad } from "../graph/grad.ts";
import { mul } from "../graph/ops/arithmetic.ts";
import { reduceSum } from "../graph/ops/reduce.ts";
import { constant, input, type Value } from "../graph/value.ts";
import { vaeDecoder } from "../models/vae_decoder.ts";
import { Image } from "../pipeline/image.ts";
import { TorchCpuGenerator } from "../schedulers/random/torch_cpu.ts";
import { Clip } from "./clip.ts";
import { Computation, weightFeeds } from "./computation.ts";
import { cosine, draw } from "./measure.ts";
import { atLeast, type LabelledPicture, type Report } from "./report.ts";
import type { Laboratory, Topic } from "./topic.ts";

const STEPS = 20;
const NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/** A walk up the slope. */
interface Climb {
  readonly scores: readonly number[];
  readonly frames: readonly LabelledPicture[];
  readonly end: Image;
}

async function run(laboratory: Laboratory): Promise<Report> {
  const { isEmbedded, progress } = laboratory;
  const prompt = isEmbedded ? "a bold white seven on a black background" : laboratory.prompt;
  const clip = await Clip.open(laboratory), [text] = await clip.texts([prompt]);
  progress("over pixels");
  const pixels = await climbPixels(clip, text!);
  progress("over latents");
  const latents = await climbLatents(clip, text!);
  progress("by the U-Net");
  const drawn = await draw(laboratory, { prompt, guidanceScale: 5 });
  const ends = [pixels.end, latents.end, drawn], vectors = await clip.pictures(ends);
  const labels = await clip.texts(
    NAMES.map((name) => `a bold white ${name} on a black background`),
  );
  const names = ["score over pixels", "score over latents", "U-Net"];
  const random = await randomSteps(clip, text!);
  return {
    topic: "digits",
    title: "From noise to a digit",
    summary: "Suppose a network can score how much a picture looks like what was asked. Its " +
      "slope says how to change every pixel so that the score rises; following it turns noise " +
      "into a picture. Over pixels that finds patterns that please the network and nobody else. " +
      "Over latents, every point decodes to something plausible, and shapes appear. The U-Net " +
      "needs no score: it was trained on noisy pictures to say what the noise is, which is that " +
      "slope, at every level of noise.",
    blocks: [
      { kind: "frames", caption: "Up the score's slope, over pixels", frames: pixels.frames },
      { kind: "frames", caption: "Up the same slope, over latents", frames: latents.frames },
      {
        kind: "pictures",
        caption: `Three ends for "${prompt}"`,
        pictures: ends.map((image, i) => ({ label: names[i]!, image })),
      },
      {
        kind: "plot",
        caption: "The score while climbing",
        x: { label: "step" },
        y: { label: "cosine with the text" },
        series: [
          { name: "pixels", points: pixels.scores.map((v, i) => [i, v] as const) },
          { name: "latents", points: latents.scores.map((v, i) => [i, v] as const) },
          { name: "random steps", points: random.map((v, i) => [i, v] as const) },
        ],
      },
      {
        kind: "table",
        caption: "What CLIP reads in each, and how sure it is",
        columns: ["way", "reads", "cosine with the text", "mean difference of neighbours"],
        rows: vectors.map((vector, i) => {
          const all = labels.map((label) => cosine(label, vector));
          const best = all.indexOf(Math.max(...all));
          return [names[i]!, NAMES[best]!, cosine(vector, text!), roughness(ends[i]!)];
        }),
      },
    ],
    claims: [
      atLeast(
        "Over pixels the score rises (by)",
        pixels.scores.at(-1)! - pixels.scores[0]!,
        0.2,
      ),
      atLeast("over latents, too (by)", latents.scores.at(-1)! - latents.scores[0]!, 0.2),
      atLeast(
        "and far more than by random steps of the same length (difference)",
        pixels.scores.at(-1)! - random.at(-1)!,
        0.2,
      ),
      atLeast(
        "What came of pixels is rougher than what the U-Net drew: still noise (times)",
        roughness(pixels.end) / roughness(drawn),
        1.5,
      ),
    ],
    formulas: [{
      text: "x ← x + η · ∇f(x)/|∇f(x)|;   ε̂(x, σ) ≈ −σ ∇ log p(x; σ)",
      symbols: {
        "f": "score: cosine of the picture's vector with the text's",
        "p(x; σ)": "how likely x is as a picture with noise σ",
        "η": "length of a step",
      },
      file: "graph/grad.ts",
    }],
    papers: [
      "Song, Ermon 2019, Generative Modeling by Estimating Gradients of the Data Distribution, arXiv:1907.05600",
      "Goodfellow, Shlens, Szegedy 2014, Explaining and Harnessing Adversarial Examples, arXiv:1412.6572",
    ],
  };
}

async function climbPixels(clip: Clip, text: Float32Array): Promise<Climb> {
  const { side } = clip, { seed, builder } = clip.laboratory;
  const pixels = input("x", "float32", [1, 3, side, side]);
  using way = await Computation.build(builder, slopeOf(clip, text, pixels, pixels));
  const x = new TorchCpuGenerator(seed).normal(3 * side * side).map((z) => 0.3 * z);
  return await climb(x, 0.05, {
    ask: (x) => way.run({ ...clip.weights, x }),
    limit: 1,
    show: (x) => Image.fromTensor(x, side, side),
  });
}

async function climbLatents(clip: Clip, text: Float32Array): Promise<Climb> {
  const { side, laboratory: { seed, builder, parts } } = clip;
  const { config, weights } = parts.vae, { factor, latentChannels } = config;
  const size = { batch: 1, height: side / factor, width: side / factor };
  const latents = input("x", "float32", [1, latentChannels, size.height, size.width]);
  const model = vaeDecoder(config, weights, size, {
    values: { latents },
    parameter: (name) => !name.startsWith("encoder"),
  });
  const outputs = slopeOf(clip, text, latents, model.outputs.image!);
  using way = await Computation.build(builder, outputs);
  const fed = { ...clip.weights, ...await weightFeeds(weights) };
  const x = new TorchCpuGenerator(seed).normal(latentChannels * size.height * size.width);
  return await climb(x.map((z) => 0.3 * z), 0.1, {
    ask: (x) => way.run({ ...fed, x }),
    limit: 3,
    show: (_, picture) => Image.fromTensor(picture, side, side),
  });
}

/** The score of `picture`, which is made from `x`, and the score's slope by `x`. */
function slopeOf(clip: Clip, text: Float32Array, x: Value, picture: Value) {
  const score = reduceSum(mul(clip.embed(picture), constant(text, [1, clip.width])));
  return { score, slope: grad(score, [x])[0]!, picture };
}

/** Steps along the slope, each element by at most about `rate`, within `limit`. */
async function climb(
  x: Float32Array,
  rate: number,
  { ask, limit, show }: {
    readonly ask: (
      x: Float32Array<ArrayBuffer>,
    ) => Promise<Record<"score" | "slope" | "picture", Float32Array>>;
    readonly limit: number;
    readonly show: (x: Float32Array, picture: Float32Array) => Image;
  },
): Promise<Climb> {
  const scores: number[] = [], frames: LabelledPicture[] = [];
  const momentum = new Float32Array(x.length);
  for (let step = 0; step <= STEPS; step++) {
    const { score, slope, picture } = await ask(Float32Array.from(x));
    scores.push(score[0]!);
    const label = `step ${step}, score ${score[0]!.toFixed(2)}`;
    if (step % 5 === 0) frames.push({ label, image: show(x, picture) });
    const size = Math.sqrt(slope.reduce((sum, g) => sum + g * g, 0) / slope.length);
    for (let i = 0; i < x.length; i++) {
      momentum[i] = 0.8 * momentum[i]! + 0.2 * slope[i]! / size;
      x[i] = Math.max(-limit, Math.min(limit, x[i]! + 2 * rate * momentum[i]!));
    }
  }
  return { scores, frames, end: frames.at(-1)!.image };
}

/** The score along a walk over pixels with random steps as long as those of the climb. */
async function randomSteps(clip: Clip, text: Float32Array): Promise<number[]> {
  const { side, laboratory: { seed, builder } } = clip, random = new TorchCpuGenerator(seed);
  const pixels = input("x", "float32", [1, 3, side, side]);
  const score = reduceSum(mul(clip.embed(pixels), constant(text, [1, clip.width])));
  using way = await Computation.build(builder, { score });
  const x = Float32Array.from(random.normal(3 * side * side), (z) => 0.3 * z);
  const scores = [];
  for (let step = 0; step <= STEPS; step++) {
    scores.push((await way.run({ ...clip.weights, x })).score[0]!);
    const z = random.normal(x.length);
    for (let i = 0; i < x.length; i++) x[i] = Math.max(-1, Math.min(1, x[i]! + 0.05 * z[i]!));
  }
  return scores;
}

/** Mean difference of pixels side by side, of 255. */
function roughness({ data, width }: Image): number {
  let sum = 0, count = 0;
  for (let i = 0; i + 3 < data.length; i++) {
    if (Math.floor(i / 3) % width === width - 1) continue;
    sum += Math.abs(data[i + 3]! - data[i]!);
    count++;
  }
  return sum / count;
}

/** Following a slope from noise to a digit. */
export const digits: Topic = { run };
