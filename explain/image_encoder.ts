/**
 * `latent explain image-encoder`: what CLIP sees in a picture.
 *
 * @module
 */

import { input } from "../graph/value.ts";
import type { Image } from "../pipeline/image.ts";
import { joined } from "../pipeline/joined.ts";
import { Computation } from "../training/computation.ts";
import { Clip } from "./clip.ts";
import { cosine, draw, moments, rows } from "./measure.ts";
import { plane } from "./planes.ts";
import { atLeast, type Report } from "./report.ts";
import type { Laboratory, Topic } from "./topic.ts";

const NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
const COLOURS = ["red", "green", "blue", "yellow", "purple", "white"];
/** Digits that are drawn, each in a colour. */
const DRAWN = [["seven", "red"], ["three", "green"], ["zero", "white"], ["one", "yellow"]] as const;

async function run(laboratory: Laboratory): Promise<Report> {
  const clip = await Clip.open(laboratory), pictures: Image[] = [];
  for (const [digit, colour] of DRAWN) {
    laboratory.progress(`drawing ${colour} ${digit}`);
    const prompt = `a bold ${colour} ${digit} on a black background`;
    pictures.push(await draw(laboratory, { prompt, steps: 10, guidanceScale: 5 }));
  }
  laboratory.progress("encoding");
  const images = await clip.pictures(pictures);
  const digits = await clip.texts(NAMES.map((name) => `a ${name}`));
  const colours = await clip.texts(COLOURS.map((name) => `a ${name} digit on a black background`));
  const chances = (labels: readonly Float32Array[]) =>
    images.map((image) => softmax(labels.map((text) => clip.scale * cosine(text, image))));
  const digitChances = chances(digits), colourChances = chances(colours);
  const [caption] = await clip.texts([
    `a bold ${DRAWN[0][1]} ${DRAWN[0][0]} on a black background`,
  ]);
  const covered = await coverPatches(clip, pictures[0]!, caption!);
  const names = DRAWN.map(([digit, colour]) => `${colour} ${digit}`);
  const right = (chances: readonly number[][], labels: readonly string[], k: 0 | 1) =>
    chances.filter((row, i) => labels[row.indexOf(Math.max(...row))] === DRAWN[i]![k]).length /
    DRAWN.length;
  return {
    topic: "image-encoder",
    title: "Image encoder",
    summary: "The other half of CLIP cuts a picture into square patches, treats them as a text " +
      "of patches, and ends in one vector in the same space as texts. So a picture can be " +
      "classified without a classifier: compare it with the sentences that could describe it. " +
      "What the vector depends on shows when patches are covered, one by one.",
    blocks: [
      {
        kind: "heatmap",
        caption: "Which digit: how likely each name is, by cosines alone",
        rows: names,
        columns: NAMES,
        values: digitChances,
      },
      {
        kind: "heatmap",
        caption: "Which colour",
        rows: names,
        columns: COLOURS,
        values: colourChances,
      },
      {
        kind: "pictures",
        caption:
          `Which patches matter: how far the score of its caption falls when each of ${covered.drops.length} is covered (bright: far)`,
        pictures: [
          { label: names[0]!, image: pictures[0]! },
          {
            label: "what covering costs",
            image: plane(Float32Array.from(covered.drops), covered.across, covered.across, 8),
          },
        ],
      },
    ],
    claims: [
      atLeast("Colours named rightly (share)", right(colourChances, COLOURS, 1), 0.75),
      atLeast("Digits named rightly (share; guessing: 0.1)", right(digitChances, NAMES, 0), 0.5),
      atLeast(
        "Covering the digit costs more than covering the background (difference of cosines)",
        covered.onDigit - covered.beside,
        0,
      ),
    ],
    formulas: [{
      text: "p(label) = softmax(s · cos(image, text of label))",
      symbols: { "s": "CLIP's learned scale", "image": "state of the class token, projected" },
      file: "models/clip_vision.ts",
      symbol: "clipVisionModel",
    }],
    papers: [
      "Radford et al. 2021, Learning Transferable Visual Models, arXiv:2103.00020",
      "Dosovitskiy et al. 2020, An Image is Worth 16x16 Words, arXiv:2010.11929",
      "Zeiler, Fergus 2013, Visualizing and Understanding Convolutional Networks, arXiv:1311.2901",
    ],
  };
}

/** How far the cosine with `text` falls when each patch gets the colour of the picture's corner. */
async function coverPatches(clip: Clip, picture: Image, text: Float32Array) {
  const { patchSize, imageSize: side } = clip.vision.config, across = side / patchSize;
  const whole = clip.pixels(picture), count = across ** 2, area = side * side;
  const corner = [0, 1, 2].map((c) => whole[c * area]!);
  const ink = new Float64Array(count);
  const covered = Array.from({ length: count }, (_, patch) => {
    const pixels = whole.slice(), top = Math.floor(patch / across) * patchSize;
    const left = patch % across * patchSize;
    for (let c = 0; c < 3; c++) {
      for (let y = top; y < top + patchSize; y++) {
        const at = c * area + y * side + left;
        for (let x = at; x < at + patchSize; x++) ink[patch]! += Math.abs(whole[x]! - corner[c]!);
        pixels.fill(corner[c]!, at, at + patchSize);
      }
    }
    return pixels;
  });
  const pixels = input("pixels", "float32", [count + 1, 3, side, side]);
  using computation = await Computation.build(clip.laboratory.builder, {
    embeds: clip.embed(pixels),
  });
  const { embeds } = await computation.run({
    ...clip.weights,
    pixels: joined([whole, ...covered]),
  });
  const [all, ...each] = rows(embeds, clip.width).map((vector) => cosine(vector, text));
  const drops = each.map((value) => all! - value);
  const median = [...ink].sort((a, b) => a - b)[Math.floor(count / 2)]!;
  const mean = (chosen: (patch: number) => boolean) =>
    moments(drops.filter((_, patch) => chosen(patch))).mean;
  return {
    across,
    drops,
    onDigit: mean((patch) => ink[patch]! > median),
    beside: mean((patch) => ink[patch]! <= median),
  };
}

function softmax(logits: readonly number[]): number[] {
  const top = Math.max(...logits), powers = logits.map((logit) => Math.exp(logit - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

/** What CLIP sees in a picture. */
export const imageEncoder: Topic = { run };
