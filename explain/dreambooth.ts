/**
 * `latent explain dreambooth`: the whole U-Net, taught a few pictures.
 *
 * @module
 */

import { join } from "node:path";
import { StableDiffusion } from "../pipeline/stable_diffusion.ts";
import { trainDreambooth } from "../training/dreambooth.ts";
import { openComponent } from "../weights/open_weights.ts";
import { toFloat32 } from "../weights/read.ts";
import type { TensorSource } from "../weights/stored_tensor.ts";
import { draw, lossesOf, rmsDistance } from "./measure.ts";
import { atLeast, atMost, type Report } from "./report.ts";
import { type Ink, inkLikeness, inkPictures, writePictures } from "./ink_pictures.ts";
import type { Laboratory, Topic } from "./topic.ts";

/** Rose. */
const INK: Ink = [225, 70, 140];
const WORD = "sks", STEPS = 16;
const PROMPT = `a bold ${WORD} seven on a blue background`;
const KEPT = "a bold red three on a white background";

async function run(laboratory: Laboratory): Promise<Report> {
  const { parts, builder, progress, signal } = laboratory;
  const pictures = await inkPictures(laboratory, WORD, INK);
  const folder = await Deno.makeTempDir({ prefix: "latent-" }), output = join(folder, "model");
  try {
    await writePictures(join(folder, "pictures"), pictures);
    const training = trainDreambooth({
      model: parts.path,
      images: join(folder, "pictures"),
      output,
      steps: STEPS,
      batch: 4,
      rate: 3e-4,
      optimizer: "adam",
      saveEvery: STEPS,
      seed: 1,
      signal,
    });
    const losses = await lossesOf(training, laboratory);
    await using sd = await StableDiffusion.open(output, { providers: builder.options.providers });
    const options = { seed: 7, guidanceScale: 5, steps: 12 }, trained = { ...laboratory, sd };
    const [before, keptBefore] = [PROMPT, KEPT].map((prompt) => ({ ...options, prompt }));
    const images = [
      await draw(laboratory, before!),
      await draw(trained, before!),
      await draw(laboratory, keptBefore!),
      await draw(trained, keptBefore!),
    ];
    progress("what changed");
    const changes = await changed(parts.unet.weights, await openComponent(join(output, "unet")));
    const total = Math.sqrt(changes.reduce((sum, c) => sum + c.moved ** 2, 0)) /
      Math.sqrt(changes.reduce((sum, c) => sum + c.size ** 2, 0));
    return {
      topic: "dreambooth",
      title: "DreamBooth",
      summary: "Where a new word is not enough, the U-Net itself can be taught: all its weights " +
        "move a little, so that a rare word in the prompt means what a few pictures show. It " +
        "learns more than a word can, takes a whole model's space, and may forget what it knew: " +
        "the longer it is trained, the more. Pictures of the ordinary thing, trained beside, hold " +
        "it back.",
      blocks: [
        {
          kind: "pictures",
          caption: `What is to be learned, called "${WORD}", which means nothing to the model`,
          pictures: pictures.map(({ caption, image }) => ({ label: caption, image })),
        },
        {
          kind: "pictures",
          caption: "The same noise, before and after; and another prompt, which should stay",
          pictures: [
            { label: `before: ${PROMPT}`, image: images[0]! },
            { label: `after: ${PROMPT}`, image: images[1]! },
            { label: `before: ${KEPT}`, image: images[2]! },
            { label: `after: ${KEPT}`, image: images[3]! },
          ],
          columns: 4,
        },
        {
          kind: "plot",
          caption: "Loss; every update draws other noise",
          x: { label: "update" },
          y: { label: "mean squared error of the noise" },
          series: [{ name: "loss", points: losses.map((loss, i) => [i + 1, loss] as const) }],
        },
        {
          kind: "table",
          caption: "Where the weights moved: length of the change, of the weights' own",
          columns: ["part", "weights", "change"],
          rows: changes.map(({ part, count, moved, size }) => [part, count, moved / size]),
        },
      ],
      claims: [
        atLeast(
          "The word now means what the pictures show (likeness of the ink, after less before)",
          inkLikeness(images[1]!, INK) - inkLikeness(images[0]!, INK),
          0.05,
        ),
        atLeast(
          "All parts of the U-Net moved (smallest change)",
          Math.min(...changes.map((c) => c.moved)),
          1e-6,
        ),
        atMost("but little (length of the change, of the weights')", total, 0.1),
        atMost(
          "Another prompt still draws much the same (root mean square change, of 255)",
          rmsDistance(images[2]!.data, images[3]!.data),
          90,
        ),
      ],
      formulas: [{
        text: "θ* = argmin over θ of E ‖ε − ε̂_θ(zₜ, t, c)‖² + λ E ‖ε − ε̂_θ(z'ₜ, t, c')‖²",
        symbols: {
          "θ": "all weights of the U-Net",
          "c": "prompt with the rare word; c', z': the ordinary thing's",
          "λ": "weight of what is to be kept",
        },
        file: "training/dreambooth.ts",
        symbol: "trainDreambooth",
      }],
      papers: ["Ruiz et al. 2022, DreamBooth, arXiv:2208.12242"],
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** How far the weights of each part of the U-Net moved. */
async function changed(before: TensorSource, after: TensorSource) {
  const parts = new Map<string, { count: number; moved: number; size: number }>();
  for (const name of before.names()) {
    const tensor = after.get(name);
    if (!tensor) continue;
    const [a, b] = [await toFloat32(before.get(name)!), await toFloat32(tensor)];
    const part = /^(down_blocks\.\d+|up_blocks\.\d+|[^.]+)/.exec(name)![1]!;
    const sum = parts.get(part) ?? { count: 0, moved: 0, size: 0 };
    for (let i = 0; i < a.length; i++) {
      sum.moved += (a[i]! - b[i]!) ** 2;
      sum.size += a[i]! ** 2;
    }
    sum.count += a.length;
    parts.set(part, sum);
  }
  return [...parts].map(([part, { count, moved, size }]) => ({
    part,
    count,
    moved: Math.sqrt(moved),
    size: Math.sqrt(size),
  }));
}

/** The whole U-Net, taught a few pictures. */
export const dreambooth: Topic = { run };
