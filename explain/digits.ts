/**
 * `latent explain digits`: following a slope from noise, and where it leads.
 *
 * @module
 */

import { grad } from "../graph/grad.ts";
import { mul } from "../graph/ops/arithmetic.ts";
import { reduceSum } from "../graph/ops/reduce.ts";
import { constant, input } from "../graph/value.ts";
import { Image } from "../pipeline/image.ts";
import { TorchCpuGenerator } from "../schedulers/random/torch_cpu.ts";
import { DIGIT_SIDE, DIGIT_SIZE, loadDigits } from "../training/digits_data.ts";
import { trainClassifier, trainLikeness } from "../training/digits_training.ts";
import { climb, finiteDifferences, pixelGradient, readDigits } from "../training/digits_use.ts";
import { Clip } from "./clip.ts";
import { Computation } from "./computation.ts";
import { draw } from "./measure.ts";
import { atLeast, atMost, type LabelledPicture, type Report } from "./report.ts";
import type { Laboratory, Topic } from "./topic.ts";
import { correlation } from "./word_maps.ts";

/** Updates of each network, on 64 handwritten digits each. */
const STEPS = { judge: 150, reader: 80 };
const CLIP_STEPS = 20;

async function run(laboratory: Laboratory): Promise<Report> {
  const { builder, progress, signal } = laboratory, seed = Number(BigInt(laboratory.seed) % 1000n);
  progress("handwritten digits");
  const { training: digits, heldOut } = await loadDigits();
  const options = { builder, digits, seed, ...(signal && { signal }) };
  progress("training a judge of digits");
  const judge = await trainLikeness({ ...options, steps: STEPS.judge });
  progress("training a reader");
  const reader = await trainClassifier({ ...options, steps: STEPS.reader });
  progress("climbing");
  const noise = new TorchCpuGenerator(laboratory.seed).normal(DIGIT_SIZE);
  const ascents = await Array.fromAsync(climb(builder, judge, noise, { rate: 0.4 }));
  const end = ascents.at(-1)!.picture, real = heldOut.pixels.subarray(0, DIGIT_SIZE);
  progress("the slope, by trying and by calculation");
  const slope = (await pixelGradient(builder, judge, noise)).gradient;
  const tried = await finiteDifferences(builder, judge, noise);
  const error = Math.hypot(...tried.map((v, i) => v - slope[i]!)) / Math.hypot(...slope);
  progress("up the slope of CLIP");
  const clip = await climbClip(laboratory);
  const judged = async (
    pictures: Float32Array,
  ) => [...(await pixelGradient(builder, judge, pictures)).likeness];
  const [ofNoise] = await judged(noise), [ofReal] = await judged(real.slice());
  const [ofEnd] = await judged(end), [read] = await readDigits(builder, reader, end);
  progress("by the U-Net");
  const drawn = await draw(laboratory, { prompt: clip.prompt, guidanceScale: 5 });
  return {
    topic: "digits",
    title: "From noise to a digit",
    summary:
      "Suppose a network can tell how much of a picture is digit and how much is noise; one " +
      "learns that here, in seconds, from digits with noise mixed in. Its slope says how to " +
      "change every pixel so that it sees more digit. Followed from pure noise the slope soon " +
      "contents the judge, and the picture is still noise: a little in every pixel fools a " +
      "network that had to say one number. CLIP, which never saw noise, is fooled as easily. So " +
      "the network is asked for more: the noise itself, in every pixel, at every level of noise. " +
      "That is the U-Net, and its answer, followed in small steps, does lead to a digit.",
    blocks: [
      {
        kind: "frames",
        caption: `Up the slope of the judge, ${ascents.length - 1} steps`,
        frames: every(ascents, 6).map(({ picture, likeness }): LabelledPicture => ({
          label: `digit: ${likeness.toFixed(2)}`,
          image: digitPicture(picture),
        })),
      },
      {
        kind: "plot",
        caption: "What the judge says on the way: 0 is noise, 1 a digit",
        x: { label: "step" },
        y: { label: "share of digit" },
        series: [{
          name: "share of digit",
          points: ascents.map(({ likeness }, i) => [i, likeness] as const),
        }],
      },
      {
        kind: "pictures",
        caption: "The slope at the noise: by trying every pixel, and by calculation",
        pictures: [
          { label: `${2 * DIGIT_SIZE} questions`, image: digitPicture(scaled(tried)) },
          { label: "one run backwards", image: digitPicture(scaled(slope)) },
        ],
      },
      {
        kind: "pictures",
        caption: "Where the slope led, beside a real digit, and what the U-Net makes of noise",
        pictures: [
          { label: `up the slope; a reader says ${read}`, image: digitPicture(end) },
          { label: "a real one", image: digitPicture(real) },
          { label: clip.prompt, image: drawn },
        ],
      },
      {
        kind: "frames",
        caption: `Up the slope of CLIP towards "${clip.prompt}": the score rises, no picture comes`,
        frames: clip.frames,
      },
    ],
    claims: [
      atLeast("The judge tells digits from noise (difference)", ofReal! - ofNoise!, 0.6),
      atMost("Its slope by trying is the calculated one (relative error)", error, 0.05),
      atLeast(
        "Following it contents the judge (rise)",
        ofEnd! - ofNoise!,
        0.5,
      ),
      atLeast(
        "but the picture is still the noise that it was (correlation)",
        correlation(end, noise.map((z) => Math.max(-1, Math.min(1, z)))),
        0.5,
      ),
      atLeast(
        "CLIP's score rises by its slope, too (by)",
        clip.scores.at(-1)! - clip.scores[0]!,
        0.2,
      ),
    ],
    formulas: [{
      text: "x ← x + η · ∇f(x)/|∇f(x)|;   ε̂(x, σ) ≈ −σ ∇ log p(x; σ)",
      symbols: {
        "f": "what the network says of the picture",
        "p(x; σ)": "how likely x is as a picture with noise σ",
        "η": "length of a step",
      },
      file: "training/digits_use.ts",
      symbol: "climb",
    }],
    papers: [
      "Song, Ermon 2019, Generative Modeling by Estimating Gradients of the Data Distribution, arXiv:1907.05600",
      "Goodfellow, Shlens, Szegedy 2014, Explaining and Harnessing Adversarial Examples, arXiv:1412.6572",
    ],
  };
}

/** Over the pixels of a picture, up the score that CLIP gives it for a text. */
async function climbClip(laboratory: Laboratory) {
  const prompt = laboratory.isEmbedded
    ? "a bold white seven on a black background"
    : laboratory.prompt;
  const clip = await Clip.open(laboratory), [text] = await clip.texts([prompt]), { side } = clip;
  const pixels = input("x", "float32", [1, 3, side, side]);
  const score = reduceSum(mul(clip.embed(pixels), constant(text!, [1, clip.width])));
  const [slope] = grad(score, [pixels]);
  using way = await Computation.build(laboratory.builder, { score, slope: slope! });
  const x = Float32Array.from(
    new TorchCpuGenerator(laboratory.seed).normal(3 * side * side),
    (z) => 0.3 * z,
  );
  const scores: number[] = [], frames: LabelledPicture[] = [];
  for (let step = 0; step <= CLIP_STEPS; step++) {
    const { score, slope } = await way.run({ ...clip.weights, x });
    scores.push(score[0]!);
    if (step % 5 === 0) {
      const label = `step ${step}, score ${score[0]!.toFixed(2)}`;
      frames.push({ label, image: Image.fromTensor(x, side, side) });
    }
    const size = Math.sqrt(slope.reduce((sum, g) => sum + g * g, 0) / slope.length);
    for (let i = 0; i < x.length; i++) {
      x[i] = Math.max(-1, Math.min(1, x[i]! + 0.05 * slope[i]! / size));
    }
  }
  return { prompt, scores, frames };
}

/** About `count` of a list, first and last among them. */
function every<T>(list: readonly T[], count: number): T[] {
  return Array.from(
    { length: count },
    (_, i) => list[Math.round(i * (list.length - 1) / (count - 1))]!,
  );
}

/** Pixels from -1 to 1, three times enlarged, ink black. */
function digitPicture(pixels: Float32Array): Image {
  const data = new Uint8ClampedArray(3 * DIGIT_SIZE);
  pixels.forEach((value, i) => data.fill(127.5 * (1 - value), 3 * i, 3 * i + 3));
  const side = 3 * DIGIT_SIDE;
  return new Image(DIGIT_SIDE, DIGIT_SIDE, data).resize(side, side, "nearest");
}

/** Slopes as pixels: the largest is 1. */
function scaled(slopes: Float32Array): Float32Array {
  const largest = slopes.reduce((a, b) => Math.max(a, Math.abs(b)), 0) || 1;
  return slopes.map((value) => value / largest);
}

/** Following a slope from noise, and where it leads. */
export const digits: Topic = { run };
