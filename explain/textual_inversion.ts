/**
 * `latent explain textual-inversion`: a new word, learned here and now.
 *
 * @module
 */

import { join } from "node:path";
import { StableDiffusion } from "../pipeline/stable_diffusion.ts";
import { embeddingTable } from "../training/new_word.ts";
import { trainTextualInversion } from "../training/textual_inversion.ts";
import { openWeights } from "../weights/open_weights.ts";
import { toFloat32 } from "../weights/read.ts";
import { cosine, draw, lossesOf, moments, rows } from "./measure.ts";
import { atLeast, atMost, type LabelledPicture, type Report } from "./report.ts";
import { type Ink, inkLikeness, inkPictures, writePictures } from "./ink_pictures.ts";
import type { Laboratory, Topic } from "./topic.ts";

/** Teal. */
const INK: Ink = [0, 150, 150];
const TOKEN = "<teal>", INIT = "green", VECTORS = 3, STEPS = 60;
const PROMPT = (word: string) => `a bold ${word} seven on a blue background`;

async function run(laboratory: Laboratory): Promise<Report> {
  const { parts, builder, signal } = laboratory;
  const pictures = await inkPictures(laboratory, TOKEN, INK);
  const folder = await Deno.makeTempDir({ prefix: "latent-" }),
    output = join(folder, "teal.safetensors");
  try {
    await writePictures(join(folder, "pictures"), pictures);
    const training = trainTextualInversion({
      model: parts.path,
      images: join(folder, "pictures"),
      output,
      token: TOKEN,
      initWord: INIT,
      vectors: VECTORS,
      steps: STEPS,
      batch: 4,
      rate: 0.001,
      optimizer: "adam",
      saveEvery: STEPS,
      seed: 1,
      signal,
    });
    const losses = await lossesOf(training, laboratory);
    const learned = await toFloat32((await openWeights(output)).get(TOKEN)!);
    await using sd = await StableDiffusion.open(parts.path, {
      embeddings: [output],
      providers: builder.options.providers,
    });
    const options = { seed: 7, guidanceScale: 5, steps: 12 };
    const before = await draw(laboratory, { ...options, prompt: PROMPT(INIT) });
    const after = await draw({ ...laboratory, sd }, { ...options, prompt: PROMPT(TOKEN) });
    const other = await draw({ ...laboratory, sd }, {
      ...options,
      prompt: `a bold ${TOKEN} two on an orange background`,
    });
    const width = parts.textEncoders[0]!.config.hiddenSize;
    const nearest = await nearestWords(laboratory, learned.subarray(0, width));
    const start = nearest.find(({ word }) => word === INIT)!.cosine;
    return {
      topic: "textual-inversion",
      title: "Textual inversion",
      summary: "The model is left as it is; only the vectors of a new word are learned, here " +
        `${VECTORS}. The pictures are spoiled with noise, the U-Net is asked what the noise is, with ` +
        "the new word in the prompt, and the vectors are moved so that the answer gets better. The " +
        "slope goes back through the U-Net and the text encoder, to the word. The result is a file " +
        "of a kilobyte or two.",
      blocks: [
        {
          kind: "pictures",
          caption: `What is to be learned: the ink, called ${TOKEN}`,
          pictures: pictures.map(({ caption, image }): LabelledPicture => ({
            label: caption,
            image,
          })),
        },
        {
          kind: "pictures",
          caption: "The same noise, before and after; and the word in another sentence",
          pictures: [
            { label: `before: ${PROMPT(INIT)}`, image: before },
            { label: `after: ${PROMPT(TOKEN)}`, image: after },
            { label: `a bold ${TOKEN} two on an orange background`, image: other },
          ],
        },
        {
          kind: "plot",
          caption: `Loss in ${STEPS} updates; it is noisy, since every update draws other noise`,
          x: { label: "update" },
          y: { label: "mean squared error of the noise" },
          series: [
            { name: "each", points: losses.map((loss, i) => [i + 1, loss] as const) },
            { name: "mean of ten", points: smoothed(losses) },
          ],
        },
        {
          kind: "table",
          caption: "Words of the vocabulary nearest to the first of the learned vectors",
          columns: ["word", "cosine"],
          rows: nearest.slice(0, 6).map(({ word, cosine }) => [word, cosine]),
        },
      ],
      claims: [
        atLeast(
          "The new word draws what the old one did not (likeness of the ink, after less before)",
          inkLikeness(after, INK) - inkLikeness(before, INK),
          0.1,
        ),
        atMost(
          `The vectors have left the word that they began as (cosine of the first with "${INIT}")`,
          start,
          0.99,
        ),
      ],
      formulas: [{
        text: "v* = argmin over v of E ‖ε − ε̂(zₜ, t, c(“… ⟨v⟩ …”))‖²",
        symbols: {
          "v": "the word's vectors",
          "c": "text encoder",
          "ε̂": "U-Net, which stays as it is",
        },
        file: "training/textual_inversion.ts",
        symbol: "trainTextualInversion",
      }],
      papers: ["Gal et al. 2022, An Image is Worth One Word, arXiv:2208.01618"],
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** All whole words of the vocabulary by closeness to a vector. */
async function nearestWords({ parts }: Laboratory, vector: Float32Array) {
  const encoder = parts.textEncoders[0]!, { tokenizer, config } = encoder;
  return rows(await embeddingTable(encoder), config.hiddenSize).map((row, id) => ({
    word: tokenizer.tokens([id])[0]!,
    cosine: cosine(row, vector),
  })).filter(({ word }) => word.endsWith("</w>"))
    .map(({ word, cosine }) => ({ word: word.replace("</w>", ""), cosine }))
    .sort((a, b) => b.cosine - a.cosine);
}

function smoothed(losses: readonly number[]): (readonly [number, number])[] {
  return losses.flatMap((_, i) =>
    i < 9 ? [] : [[i + 1, moments(losses.slice(i - 9, i + 1)).mean] as const]
  );
}

/** A new word, learned here and now. */
export const textualInversion: Topic = { run };
