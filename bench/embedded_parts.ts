/**
 * How good are a digits model's autoencoder and CLIP pair, on digits that nothing was trained on?
 *
 *     deno run -A bench/embedded_parts.ts [--model DIR] [--variant fp16] --work DIR [--count 512]
 *
 * The autoencoder: the mean over pictures of the peak signal to noise ratio, from picture to latents
 * and back. CLIP, which never saw labels: which of ten digits, eight inks and eight backgrounds a
 * picture's vector is nearest to. `--work` keeps the digits' distance fields.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { Clip } from "../explain/clip.ts";
import { openLaboratory } from "../explain/mod.ts";
import { cosine, latentsOf } from "../explain/measure.ts";
import { Autoencoder } from "../pipeline/autoencoder.ts";
import { Image } from "../pipeline/image.ts";
import { TorchCpuGenerator } from "../schedulers/random/torch_cpu.ts";
import { withArticle } from "../training/embedded/captions.ts";
import { draw, drawTraits, SIDE, type Traits } from "../training/embedded/drawing.ts";
import { COLORS, DIGIT_WORDS, TEAL } from "../training/embedded/palette.ts";
import { Workspace } from "../training/embedded/workspace.ts";
import { psnr } from "./peers/compare.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    variant: { type: "string" },
    work: { type: "string" },
    count: { type: "string", default: "512" },
  },
});
if (values.work === undefined) throw new TypeError("Cannot judge without --work DIR.");
await Deno.mkdir(values.work, { recursive: true });

const fields = await new Workspace(values.work, 0).heldOut();
const random = new TorchCpuGenerator(5), count = Number(values.count);
const traits = drawTraits(fields, count, random);
const { pictures } = draw(fields, traits, random), size = 3 * SIDE * SIDE;
const images = traits.map((_, i) =>
  Image.fromTensor(pictures.subarray(i * size, (i + 1) * size), SIDE, SIDE)
);

await using laboratory = await openLaboratory(values.model, {
  open: { threads: 2, ...(values.variant && { variant: values.variant }) },
  seed: 0,
  progress: () => undefined,
});
await reconstruction();
await zeroShot();

async function reconstruction(): Promise<void> {
  using autoencoder = new Autoencoder(laboratory.parts, laboratory.builder);
  let sum = 0;
  for (const image of images) {
    const back = await autoencoder.decode(await latentsOf(autoencoder, image));
    sum += psnr(back, image);
  }
  console.log(`autoencoder, ${count} held-out pictures: ${(sum / count).toFixed(1)} dB`);
}

async function zeroShot(): Promise<void> {
  const clip = await Clip.open(laboratory), seen = await clip.pictures(images);
  const share = async (texts: readonly string[], answer: (traits: Traits) => number) => {
    const said = await clip.texts(texts);
    const asked = seen.map((picture, i) => ({ picture, right: answer(traits[i]!) }))
      .filter(({ right }) => right < texts.length);
    const found = asked.filter(({ picture, right }) => {
      const near = said.map((text) => cosine(text, picture));
      return near.indexOf(Math.max(...near)) === right;
    });
    return `${(100 * found.length / asked.length).toFixed(1)}%`;
  };
  const digit = await share(DIGIT_WORDS.map(withArticle), (trait) => trait.digit);
  const ink = await share(
    COLORS.map((color) => withArticle(`${color} digit`)),
    (trait) => trait.ink === TEAL ? Infinity : trait.ink, // never named in training
  );
  const ground = await share(
    COLORS.map((color) => withArticle(`${color} background`)),
    (trait) => trait.background,
  );
  console.log(`CLIP, ${count} held-out pictures: digit ${digit}, ink ${ink}, background ${ground}`);
}
