/**
 * `latent explain contrastive`: how CLIP learns which text belongs to which picture.
 *
 * @module
 */

import { linear } from "../graph/ops/linalg.ts";
import { constant, input } from "../graph/value.ts";
import type { Image } from "../pipeline/image.ts";
import { joined } from "../pipeline/joined.ts";
import { TorchCpuGenerator } from "../schedulers/random/torch_cpu.ts";
import { contrastiveLoss } from "../training/losses.ts";
import { adam } from "../training/optimizers.ts";
import { Trainer } from "../training/trainer.ts";
import { trainingStep } from "../training/training_step.ts";
import { Clip } from "./clip.ts";
import { cosine, draw } from "./measure.ts";
import { atLeast, atMost, type Report } from "./report.ts";
import type { Laboratory, Topic } from "./topic.ts";

const CAPTIONS = [
  "a red seven on a blue background",
  "a green seven on a yellow background",
  "a red three on a blue background",
  "a white zero on a black background",
  "a purple one on a white background",
  "a yellow eight on a green background",
];
const SCALES = [1, 2, 5, 10, 20, 50, 100];
const UPDATES = 60;

async function run(laboratory: Laboratory): Promise<Report> {
  const clip = await Clip.open(laboratory), pictures: Image[] = [];
  for (const [i, prompt] of CAPTIONS.entries()) {
    laboratory.progress(`drawing ${prompt}`);
    pictures.push(await draw(laboratory, { prompt, seed: i, steps: 8, guidanceScale: 5 }));
  }
  laboratory.progress("encoding");
  const texts = await clip.texts(CAPTIONS), images = await clip.pictures(pictures);
  const values = texts.map((text) => images.map((image) => cosine(text, image)));
  const loss = (scale: number) => lossOf(values, scale);
  const learned = await learn(laboratory, texts, images);
  const chance = Math.log(CAPTIONS.length),
    best = values.map((row) => row.indexOf(Math.max(...row)));
  return {
    topic: "contrastive",
    title: "Contrastive loss",
    summary: "CLIP was shown pictures with their captions, many at a time, and had to say which " +
      "belong together. Every caption is compared with every picture; the loss is small when " +
      "the right ones agree and all the wrong ones do not. Nothing else was ever taught: that " +
      "texts and pictures end up in one space, where they can be compared, follows.",
    blocks: [
      {
        kind: "pictures",
        caption: "Pictures that this model drew from the captions",
        pictures: pictures.map((image, i) => ({ label: `${i + 1}: ${CAPTIONS[i]}`, image })),
      },
      {
        kind: "heatmap",
        caption:
          "Cosine of each caption's vector with each picture's: the diagonal belongs together",
        rows: CAPTIONS,
        columns: CAPTIONS.map((_, i) => `picture ${i + 1}`),
        values,
      },
      {
        kind: "plot",
        caption: `The loss by what cosines are multiplied with (CLIP learned ${
          clip.scale.toFixed(1)
        }); guessing costs ln ${CAPTIONS.length} = ${chance.toFixed(2)}`,
        x: { label: "scale, 1 / temperature", log: true },
        y: { label: "loss" },
        series: [{ name: "loss", points: SCALES.map((scale) => [scale, loss(scale)] as const) }],
      },
      {
        kind: "plot",
        caption:
          "Learned here and now: a projection of the pictures' vectors, from random numbers on",
        x: { label: "update" },
        y: { label: "loss" },
        series: [{ name: "loss", points: learned.map((value, i) => [i, value] as const) }],
      },
    ],
    claims: [
      atLeast(
        "Captions find their own picture among all (share)",
        best.filter((at, i) => at === i).length / CAPTIONS.length,
        0.8,
      ),
      atMost("The trained towers' loss, of guessing's", loss(clip.scale) / chance, 0.5),
      atLeast(
        "Before it has learned, a projection guesses (loss, of guessing's)",
        learned[0]! / chance,
        0.6,
      ),
      atMost("and afterwards it does not", learned.at(-1)! / chance, 0.1),
    ],
    formulas: [{
      text: "L = −1/2n · Σᵢ [ log softmaxⱼ(s cᵢⱼ)ᵢ + log softmaxⱼ(s cⱼᵢ)ᵢ ]",
      symbols: {
        "cᵢⱼ": "cosine of caption i with picture j",
        "s": "scale, which is learned too",
        "n": "pairs in the batch",
      },
      file: "training/losses.ts",
      symbol: "contrastiveLoss",
    }],
    papers: [
      "Radford et al. 2021, Learning Transferable Visual Models, arXiv:2103.00020",
      "van den Oord, Li, Vinyals 2018, Contrastive Predictive Coding, arXiv:1807.03748",
    ],
  };
}

/** The symmetric loss of a matrix of cosines. */
function lossOf(cosines: readonly (readonly number[])[], scale: number): number {
  const n = cosines.length;
  const own = (line: readonly number[], i: number) =>
    Math.log(line.reduce((sum, c) => sum + Math.exp(scale * (c - line[i]!)), 0));
  const columns = cosines.map((_, j) => cosines.map((row) => row[j]!));
  const each = cosines.map((row, i) => own(row, i) + own(columns[i]!, i));
  return each.reduce((a, b) => a + b, 0) / (2 * n);
}

/** Losses while a projection of `images` is trained towards `texts`, from random numbers on. */
async function learn(
  { builder, progress }: Laboratory,
  texts: readonly Float32Array[],
  images: readonly Float32Array[],
): Promise<number[]> {
  progress("learning a projection");
  const width = texts[0]!.length, shape = [texts.length, width];
  const matrix = input("matrix", "float32", [width, width]);
  const step = trainingStep({
    parameters: [matrix],
    loss: contrastiveLoss(
      constant(joined(texts), shape),
      linear(constant(joined(images), shape), matrix),
      constant(Math.log(10)),
    ),
    optimizer: adam(),
  });
  const start = new TorchCpuGenerator(3).normal(width * width).map((z) => z / Math.sqrt(width));
  using trainer = await Trainer.create(builder, step, new Map([["matrix", start]]));
  const losses = [];
  for (let i = 0; i < UPDATES; i++) losses.push((await trainer.step({}, 0.01)).loss);
  return losses;
}

/** How CLIP learns which text belongs to which picture. */
export const contrastive: Topic = { run };
