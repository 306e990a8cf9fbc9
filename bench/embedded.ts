/**
 * Does a digits model draw what it is asked for?
 *
 *     deno run -A bench/embedded.ts [--model DIR] --work DIR [--count 200] [--pictures FILE]
 *
 * `--work` keeps the digits' distance fields and the judge: a classifier trained here on the digits
 * that the model was trained on, whose accuracy is told on those that nothing was trained on. Colours
 * are the nearest palette entries. `--pictures` writes what was drawn, 64 x 64 x 3 bytes each, and
 * beside it what was asked for, so that other judges can look.
 *
 * @module
 */

import { join } from "node:path";
import { parseArgs } from "node:util";
import { cpu } from "../ffi/providers.ts";
import { openRuntime } from "../ffi/runtime.ts";
import { Image } from "../pipeline/image.ts";
import type { GenerateOptions } from "../pipeline/options.ts";
import { SessionBuilder } from "../pipeline/session_builder.ts";
import { StableDiffusion } from "../pipeline/stable_diffusion.ts";
import { TorchCpuGenerator } from "../schedulers/random/torch_cpu.ts";
import { withArticle } from "../training/embedded/captions.ts";
import { draw, drawTraits, SIDE, type Traits } from "../training/embedded/drawing.ts";
import { type Reading, readPictures, trainJudge } from "../training/embedded/judge.ts";
import { COLORS, DIGIT_WORDS, TEAL } from "../training/embedded/palette.ts";
import { exists } from "../pipeline/existing.ts";
import { valuesOf, Workspace } from "../training/embedded/workspace.ts";
import type { Trained } from "../training/digits_training.ts";
import { openSafetensors } from "../weights/safetensors.ts";
import { writeSafetensors } from "../weights/safetensors_write.ts";
import { tensorInMemory } from "../weights/stored_tensor.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    work: { type: "string" },
    count: { type: "string", default: "200" },
    threads: { type: "string", default: "2" },
    pictures: { type: "string" },
    only: { type: "string" },
  },
});
if (values.work === undefined) throw new TypeError("Cannot judge without --work DIR.");
await Deno.mkdir(values.work, { recursive: true });

const count = Number(values.count), threads = Number(values.threads);
const builder = new SessionBuilder(openRuntime(), { providers: [cpu()], threads });
const workspace = new Workspace(values.work, 0);
const judge = await judgeOf(join(values.work, "judge.safetensors"));
const heldOut = await workspace.heldOut();
const read = (pictures: Float32Array) => readPictures(builder, judge, pictures);
const does = (name: string) => values.only === undefined || values.only.split(",").includes(name);

await using sd = await StableDiffusion.open(values.model, { threads });
if (does("judge")) await judgeOfJudge();
if (does("prompts")) await prompts();
if (does("image")) { for (const strength of [0.6, 0.8]) await imageToImage(strength); }
if (does("negative")) await negative();

/** The judge on pictures of digits that nothing was trained on. */
async function judgeOfJudge(): Promise<void> {
  const random = new TorchCpuGenerator(2), traits = drawTraits(heldOut, 1000, random);
  report(
    "the judge, 1000 held-out pictures",
    await read(draw(heldOut, traits, random).pictures),
    traits,
  );
}

/** The judge, trained once. */
async function judgeOf(path: string): Promise<Trained> {
  if (!await exists(path)) {
    const trained = await trainJudge(builder, await workspace.fields());
    const tensors = [...trained].map(([name, data]) =>
      tensorInMemory(name, "F32", [data.length], data)
    );
    await writeSafetensors(path, tensors);
  }
  return await valuesOf(await openSafetensors(path));
}

/** "a COLOUR DIGIT on a COLOUR background" */
async function prompts(): Promise<void> {
  const random = new TorchCpuGenerator(7), wanted = wishes(count, random);
  const options = wanted.map((wish, seed) => ({ prompt: sentence(wish), seed }));
  const pictures = await drawAll(options);
  report(`${count} prompts, 20 steps DPM++ 2M, guidance 5`, await read(pictures), wanted);
  if (values.pictures === undefined) return;
  await Deno.writeFile(values.pictures, bytesOf(pictures));
  await Deno.writeTextFile(`${values.pictures}.json`, JSON.stringify(wanted));
}

/** Held-out threes become eights. */
async function imageToImage(strength: number): Promise<void> {
  const random = new TorchCpuGenerator(9), threes = heldOut.byDigit[3]!;
  const traits = drawTraits(heldOut, 40, random).map((trait, i): Traits => ({
    ...trait,
    digit: 3,
    field: threes[i % threes.length]!,
    ink: trait.ink === TEAL ? (trait.background + 3) % 8 : trait.ink,
    size: 2,
    outline: false,
  }));
  const { pictures } = draw(heldOut, traits, random), size = 3 * SIDE * SIDE;
  const images = traits.map((_, i) =>
    Image.fromTensor(pictures.subarray(i * size, (i + 1) * size), SIDE, SIDE)
  );
  for (const plain of [true, false]) {
    const wanted = traits.map((trait) => ({ ...trait, digit: 8 }));
    const drawn = await drawAll(images.map((image, seed) => ({
      prompt: plain ? "an eight" : sentence(wanted[seed]!),
      image,
      strength,
      steps: 30,
      seed,
    })));
    const name = plain ? '"an eight"' : "an eight of the picture's colours";
    report(`held-out threes to ${name}, strength ${strength}`, await read(drawn), wanted);
  }
}

/** "a DIGIT" without and with the negative prompt "red". */
async function negative(): Promise<void> {
  for (const negativePrompt of ["", "red"]) {
    const options = Array.from({ length: 100 }, (_, seed) => ({
      prompt: withArticle(DIGIT_WORDS[seed % 10]!),
      negativePrompt,
      seed,
    }));
    const readings = await read(await drawAll(options));
    const red = (key: "ink" | "background") =>
      readings.filter((reading) => reading[key] === COLORS.indexOf("red")).length;
    console.log(
      `100 prompts "a DIGIT", negative "${negativePrompt}": red ink ${red("ink")}%, ` +
        `red background ${red("background")}%`,
    );
  }
}

function wishes(count: number, random: TorchCpuGenerator): Reading[] {
  return Array.from({ length: count }, (_, i) => {
    const [ink, step] = [random.integers(0, 8, 1)[0]!, random.integers(0, 7, 1)[0]!];
    return { digit: i % 10, ink, background: (ink + 1 + step) % 8 };
  });
}

function sentence({ digit, ink, background }: Reading): string {
  const what = withArticle(`${COLORS[ink]} ${DIGIT_WORDS[digit]}`);
  return `${what} on ${withArticle(`${COLORS[background]} background`)}`;
}

async function drawAll(wanted: readonly GenerateOptions[]): Promise<Float32Array> {
  const out = new Float32Array(wanted.length * 3 * SIDE * SIDE);
  for (const [i, options] of wanted.entries()) {
    const image = await sd.generate({
      steps: 20,
      guidanceScale: 5,
      scheduler: "DPM++ 2M",
      ...options,
    });
    out.set(image.toTensor(), i * 3 * SIDE * SIDE);
  }
  return out;
}

function bytesOf(pictures: Float32Array): Uint8Array {
  const plane = SIDE * SIDE, out = new Uint8Array(pictures.length);
  pictures.forEach((value, k) => {
    const picture = Math.floor(k / (3 * plane)), c = Math.floor(k / plane) % 3, pixel = k % plane;
    out[(picture * plane + pixel) * 3 + c] = Math.round((value + 1) * 127.5);
  });
  return out;
}

function report(name: string, readings: readonly Reading[], wanted: readonly Reading[]): void {
  const share = (key: keyof Reading) => {
    const right = readings.filter((reading, i) => reading[key] === wanted[i]![key]).length;
    return `${key} ${(100 * right / readings.length).toFixed(1)}%`;
  };
  console.log(`${name}: ${share("digit")}, ${share("ink")}, ${share("background")}`);
}
