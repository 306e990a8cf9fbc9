/**
 * `latent explain unet`: where the network looks, and what its shortcuts carry.
 *
 * @module
 */

import { downResidual } from "../models/unet.ts";
import type { Latents } from "../pipeline/autoencoder.ts";
import type { Image } from "../pipeline/image.ts";
import { InsideUNet } from "./inside_unet.ts";
import { moments, rmsDistance, rows } from "./measure.ts";
import { plane } from "./planes.ts";
import { atLeast, atMost, type LabelledPicture, type Report } from "./report.ts";
import type { Laboratory, Topic } from "./topic.ts";
import { correlation, inkOf, wordMaps } from "./word_maps.ts";

async function run(laboratory: Laboratory): Promise<Report> {
  const { sd, parts, prompt, seed, progress } = laboratory;
  progress("a picture");
  const settings = sd.settings({
    prompt,
    seed,
    steps: 12,
    guidanceScale: 5,
    scheduler: "DPM++ 2M",
  });
  let latents: Latents | undefined;
  for await (const step of sd.denoise(settings)) latents = step.latents;
  const clean = latents!, picture = await sd.decode(clean);
  progress("looking into the U-Net");
  using inside = await InsideUNet.open(laboratory, clean);
  const whole = await inside.ask({});
  const cuts: { name: string; shape: string; change: number; image: Image }[] = [];
  const spread = moments(whole.said).deviation;
  for (const [i, { shape }] of inside.skips.entries()) {
    progress(`cutting shortcut ${i}`);
    const { said } = await inside.ask({ [downResidual(i)]: whole.skips[i]!.map((v) => -v) });
    cuts.push({
      name: String(i),
      shape: `[${shape.slice(1).join(", ")}]`,
      change: rmsDistance(said, whole.said) / spread,
      image: await sd.decode({ ...clean, data: inside.believed(said) }),
    });
  }
  const words = wordMaps(parts.textEncoders[0]!.tokenizer, prompt, whole.maps),
    ink = inkOf(picture, words.side);
  const closeness = words.maps.map(({ word, map }) => ({ word, r: correlation(map, ink) }));
  const best = closeness.reduce((a, b) => b.r > a.r ? b : a);
  return {
    topic: "unet",
    title: "U-Net",
    summary: "The U-Net sees noisy latents at several sizes: on the way down it halves them and " +
      "learns what is where in the large; on the way up it doubles them again. Shortcuts carry " +
      "what each size saw straight to the other side, so that no detail is lost in the narrow " +
      "middle. Cross-attention lets every place look at the words of the prompt.",
    blocks: [
      {
        kind: "pictures",
        caption: `Where each word of "${prompt}" is looked at (bright), beside the picture`,
        pictures: [
          { label: "picture", image: picture },
          ...words.maps.map(({ word, map }): LabelledPicture => ({
            label: word,
            image: plane(map, words.side, words.side, 8),
          })),
        ],
      },
      {
        kind: "table",
        caption: "How much each word's map is like the drawn thing (correlation with its ink)",
        columns: ["word", "correlation"],
        rows: closeness.map(({ word, r }) => [word, r]),
      },
      {
        kind: "pictures",
        caption: "What it sees on the way down: at each shortcut the channel that varies most, " +
          "finest first",
        pictures: inside.skips.map(({ shape }, i): LabelledPicture => {
          const [, channels, height, width] = shape as [number, number, number, number];
          const { channel, map } = liveliest(whole.skips[i]!, channels);
          return {
            label: `shortcut ${i}: ${width} x ${height}, channel ${channel} of ${channels}`,
            image: plane(map, width, height, Math.max(1, Math.floor(128 / width))),
          };
        }),
      },
      {
        kind: "pictures",
        caption: `What the U-Net believes the clean picture to be from noise σ ${
          inside.sigma.toFixed(2)
        }, whole and with one shortcut cut`,
        pictures: [
          {
            label: "whole",
            image: await sd.decode({ ...clean, data: inside.believed(whole.said) }),
          },
          ...cuts.map(({ name, image }) => ({ label: `without shortcut ${name}`, image })),
        ],
      },
      {
        kind: "table",
        caption: "Shortcuts, finest first: what is lost without them",
        columns: ["shortcut", "shape", "change of the prediction, of its spread"],
        rows: cuts.map(({ name, shape, change }) => [name, shape, change]),
      },
    ],
    claims: [
      atMost(
        "Each place's attention to all words adds up to 1 (largest error)",
        words.sumError,
        1e-3,
      ),
      atLeast(
        "The finest shortcut carries more than the coarsest (change, of that one's)",
        cuts[0]!.change / cuts.at(-1)!.change,
        2,
      ),
      atLeast(`One word's map follows the drawn thing: "${best.word}" (correlation)`, best.r, 0.3),
    ],
    formulas: [{
      text: "Attention(Q, K, V) = softmax(Q Kᵀ / √d) V,  Q = W_q h,  K = W_k c,  V = W_v c",
      symbols: {
        "h": "the picture's places, [pixels, channels]",
        "c": "the prompt's vectors, [tokens, width]",
        "d": "width of one head",
      },
      file: "models/transformer.ts",
      symbol: "attention",
    }],
    papers: [
      "Ronneberger, Fischer, Brox 2015, U-Net, arXiv:1505.04597",
      "Hertz et al. 2022, Prompt-to-Prompt Image Editing with Cross Attention Control, arXiv:2208.01626",
    ],
  };
}

/** The channel of a feature map [channels, places] whose values are spread most. */
function liveliest(
  values: Float32Array,
  channels: number,
): { readonly channel: number; readonly map: Float32Array } {
  const maps = rows(values, values.length / channels);
  const spreads = maps.map((map) => moments(map).deviation);
  const channel = spreads.indexOf(Math.max(...spreads));
  return { channel, map: maps[channel]! };
}

/** Where the U-Net looks. */
export const unet: Topic = { run };
