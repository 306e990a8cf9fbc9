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
import { Computation } from "../training/computation.ts";
import { DIGIT_SIDE, DIGIT_SIZE, loadDigits } from "../training/digits_data.ts";
import { PIXELS } from "../training/digits_nets.ts";
import { trainClassifier, trainLikeness } from "../training/digits_training.ts";
import { climb, finiteDifferences, pixelGradient, readDigits } from "../training/digits_use.ts";
import { Clip } from "./clip.ts";
import { draw, evenly, relativeError, rms, rmsDistance } from "./measure.ts";
import { atLeast, atMost, type LabelledPicture, type Report } from "./report.ts";
import type { Laboratory, Topic } from "./topic.ts";

/** Updates of each network, on 64 handwritten digits each. */
const STEPS = { judge: 800, reader: 80 };
/** Noises that the slope is followed from. */
const COUNT = 16;
const CLIP_STEPS = 20;

async function run(laboratory: Laboratory): Promise<Report> {
  const { builder, progress, signal } = laboratory, seed = Number(BigInt(laboratory.seed) % 1000n);
  progress("handwritten digits");
  const { training: digits, heldOut } = await loadDigits();
  const options = { builder, digits, seed, ...(signal && { signal }) };
  progress("training a judge of digits");
  const judge = await trainLikeness({ ...options, steps: STEPS.judge });
  progress("training two readers");
  const readers = [
    await trainClassifier({ ...options, seed: seed + 1, steps: STEPS.reader }),
    await trainClassifier({ ...options, seed: seed + 2, steps: STEPS.reader }),
  ];
  progress("climbing");
  const way = await Array.fromAsync(climb(builder, judge, { count: COUNT, seed: laboratory.seed }));
  const start = way[0]!, end = way.at(-1)!;
  const agreement = async (pictures: Float32Array) => {
    const [a, b] = await Promise.all(readers.map((one) => readDigits(builder, one, pictures)));
    return { read: a!, share: a!.filter((digit, i) => digit === b![i]).length / COUNT };
  };
  const before = await agreement(start.pictures), after = await agreement(end.pictures);
  progress("the slope, by trying and by calculation");
  const noise = start.pictures.slice(0, DIGIT_SIZE), real = heldOut.pixels.slice(0, DIGIT_SIZE);
  const { gradient: slope } = await pixelGradient(builder, judge, noise, start.level);
  const tried = await finiteDifferences(builder, judge, noise, start.level);
  // A digit in noise of deviation 1, which is more than that of its own pixels.
  const noisy = real.map((x, i) => x + (noise[i]! - PIXELS.mean) / start.level);
  const { gradient: back } = await pixelGradient(builder, judge, noisy, 1);
  const seen = noisy.map((x, i) => x + back[i]!);
  const left = (rmsDistance(seen, real) / rmsDistance(noisy, real)) ** 2;
  progress("up the slope of CLIP");
  const clip = await climbClip(laboratory);
  progress("by the U-Net");
  const drawn = await draw(laboratory, { prompt: clip.prompt, guidanceScale: 5 });
  return {
    topic: "digits",
    title: "From noise to a digit",
    summary:
      "Suppose a network says of a picture, in one number, how much it is like a digit. Its slope " +
      "says how to change every pixel so that it sees more digit. Followed from noise, the slope of " +
      "a network that was only asked for good numbers leads nowhere: CLIP's score rises, and no " +
      "picture comes. So the network that learns here, in seconds, is asked for a good slope: at a " +
      "digit with noise, at every level of noise, the slope is to lead back to the digit. Followed in " +
      "small steps from pure noise it makes digits, which other networks can read. The U-Net says the " +
      "same slope outright, without the number.",
    blocks: [
      {
        kind: "frames",
        caption: `Up the slope of the judge from pure noise, ${way.length - 1} steps`,
        frames: evenly(way, 7).map(({ pictures, level }): LabelledPicture => ({
          label: `noise left: ${level.toFixed(2)}`,
          image: digitPictures(pictures),
        })),
      },
      {
        kind: "pictures",
        caption: "What the judge sees behind the noise: where its slope points",
        pictures: evenly(way, 5).map(({ seen, level }) => ({
          label: `noise left: ${level.toFixed(2)}`,
          image: digitPictures(seen),
        })),
        columns: 2,
      },
      {
        kind: "table",
        caption: "What one of the readers makes of the noises, and of what became of them",
        columns: ["picture", ...Array.from({ length: COUNT }, (_, i) => `${i + 1}`)],
        rows: [["noise", ...before.read], ["at the end", ...after.read]],
      },
      {
        kind: "pictures",
        caption: "The slope at the first noise: by trying every pixel, and by calculation",
        pictures: [
          { label: `${2 * DIGIT_SIZE} questions`, image: digitPictures(scaled(tried)) },
          { label: "one run backwards", image: digitPictures(scaled(slope)) },
        ],
      },
      {
        kind: "pictures",
        caption: "A real digit, and what the U-Net makes of noise",
        pictures: [
          { label: "a real one", image: digitPictures(real) },
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
      atMost(
        "Its slope leads from a noisy digit back to the digit (error left, share)",
        left,
        0.25,
      ),
      atMost(
        "Its slope by trying is the calculated one (relative error)",
        relativeError(tried, slope),
        0.05,
      ),
      atLeast(
        "Two readers trained apart read the same digit at the end (share)",
        after.share,
        0.6,
      ),
      atLeast("as they did not in the noise (rise)", after.share - before.share, 0.15),
      atLeast(
        "CLIP's score rises by its slope, too (by)",
        clip.scores.at(-1)! - clip.scores[0]!,
        0.2,
      ),
    ],
    formulas: [{
      text: "loss = E |∇f(x + σz; σ) − (x − (x + σz))|²;   x ← x + (1 − σ'/σ) · ∇f(x; σ)",
      symbols: {
        "f": "what the judge says of the picture; ∇f = σ² ∇ log p(x; σ)",
        "x": "a digit; then the picture on its way",
        "z": "noise; three tenths of it are fresh in every step",
        "σ, σ'": "deviation of the noise before and after a step",
      },
      file: "training/digits_use.ts",
      symbol: "climb",
    }],
    papers: [
      "Vincent 2011, A Connection Between Score Matching and Denoising Autoencoders, doi:10.1162/NECO_a_00142",
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
    const size = rms(slope);
    for (let i = 0; i < x.length; i++) {
      x[i] = Math.max(-1, Math.min(1, x[i]! + 0.05 * slope[i]! / size));
    }
  }
  return { prompt, scores, frames };
}

/** Pictures of pixels from -1 to 1 side by side, four in a row, ink black. */
function digitPictures(pixels: Float32Array): Image {
  const count = pixels.length / DIGIT_SIZE, columns = Math.min(count, 4);
  const width = columns * DIGIT_SIDE, height = Math.ceil(count / columns) * DIGIT_SIDE;
  const data = new Uint8ClampedArray(3 * width * height).fill(255);
  pixels.forEach((value, i) => {
    const picture = Math.floor(i / DIGIT_SIZE), at = i % DIGIT_SIZE;
    const x = (picture % columns) * DIGIT_SIDE + at % DIGIT_SIDE;
    const y = Math.floor(picture / columns) * DIGIT_SIDE + Math.floor(at / DIGIT_SIDE);
    data.fill(127.5 * (1 - value), 3 * (y * width + x), 3 * (y * width + x) + 3);
  });
  return new Image(width, height, data).resize(3 * width, 3 * height, "nearest");
}

/** Slopes as pixels: the largest is 1. */
function scaled(slopes: Float32Array): Float32Array {
  const largest = slopes.reduce((a, b) => Math.max(a, Math.abs(b)), 0) || 1;
  return slopes.map((value) => value / largest);
}

/** Following a slope from noise, and where it leads. */
export const digits: Topic = { run };
