/** Guidance by what CLIP makes of a picture: its derivatives, and what comes of them. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  cpu,
  type GenerateOptions,
  Image,
  OptionError,
  StableDiffusion,
  type Stage,
} from "../../mod.ts";
import { Clip } from "../../explain/clip.ts";
import { cosine } from "../../explain/measure.ts";
import type { Laboratory } from "../../explain/topic.ts";
import { main } from "../../cli.ts";
import { openRuntime } from "../../ffi/runtime.ts";
import { openClipPair } from "../../pipeline/clip_pair.ts";
import { openModel } from "../../pipeline/open_model.ts";
import { PictureGuide, type PullName, type Pulls } from "../../pipeline/picture_guide.ts";
import { SessionBuilder } from "../../pipeline/session_builder.ts";
import { inTemporaryFolder } from "../weights/temporary_folder.ts";

const GOLDEN = fileURLToPath(new URL("../golden/", import.meta.url));
const MODEL = join(GOLDEN, "reference/models/sd1"), PAIR = join(GOLDEN, "clip_pair");

const builder = () => new SessionBuilder(openRuntime(), { providers: [cpu()], threads: 1 });

/** A call at which latents are themselves the clean picture, and a prediction moves it by as much. */
const CLEAN = {
  ...{ timestep: 0, sigma: 1, inputScale: 1, denoised: { sample: 1, output: -1 } },
  level: { signal: 1, noise: 1 },
} as unknown as Stage;

/** A picture of one gray. */
const gray = (side: number, value: number) =>
  new Image(side, side, new Uint8ClampedArray(3 * side * side).fill(value));

/** The tiny CLIP's folder with the tiny model's tokenizer. */
async function withTokenizer(folder: string): Promise<string> {
  for (const name of ["config.json", "model.safetensors"]) {
    await Deno.symlink(join(PAIR, name), join(folder, name));
  }
  for (const { name } of Deno.readDirSync(join(MODEL, "tokenizer"))) {
    await Deno.symlink(join(MODEL, "tokenizer", name), join(folder, name));
  }
  return folder;
}

Deno.test("PictureGuide follows PyTorch's derivatives through decoder and encoder", () =>
  inTemporaryFolder(async (folder) => {
    const expected = JSON.parse(await Deno.readTextFile(join(PAIR, "expected.json")));
    const { vae, ...parts } = await openModel(MODEL);
    const pair = await openClipPair({ ...parts, vae }, await withTokenizer(folder));
    using guide = new PictureGuide(pair, vae, builder());
    const { height, width } = expected, size = { channels: 4, height, width };
    const latents = Float32Array.from(expected.latents as number[]);
    const pulls: Record<PullName, Pulls> = {
      text: { text: { prompt: expected.prompt, scale: 1 } },
      like: { like: { image: gray(40, expected.like.gray), scale: 1 } },
    };
    for (const name of ["text", "like"] as const) {
      using run = await guide.prepare(pulls[name], size);
      const moved = new Float32Array(latents.length);
      const { [name]: granted } = await run.apply(latents, moved, CLEAN);
      const { value, gradient } = expected[name] as { value: number; gradient: number[] };
      assert.ok(Math.abs(granted! - value) < 1e-4, `${name}: ${granted}, expected ${value}`);
      // The prediction has moved by the gradient at size 1, the other way: it is taken off.
      const length = Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0) / gradient.length);
      moved.forEach((m, i) => {
        assert.ok(Math.abs(m + gradient[i]! / length) < 0.02, `${name} ${i}: ${m}`);
      });
    }
  }));

Deno.test("PictureGuide leads uphill where it keeps no activations, too", async () => {
  const parts = await openModel(undefined), pair = await openClipPair(parts, undefined);
  using guide = new PictureGuide(pair, parts.vae, builder());
  // Just beyond what is kept.
  const size = { channels: 4, height: 65, width: 65 };
  const latents = Float32Array.from({ length: 4 * 65 * 65 }, (_, i) => Math.sin(i * i));
  using run = await guide.prepare({ text: { prompt: "a red three", scale: 0.02 } }, size);
  const moved = new Float32Array(latents.length);
  const { text: first } = await run.apply(latents, moved, CLEAN);
  const at = async (sign: number) => {
    const along = latents.map((x, i) => x - sign * moved[i]!);
    return (await run.apply(along, new Float32Array(moved.length), CLEAN)).text!;
  };
  const [up, down] = [await at(1), await at(-1)];
  assert.ok(up > first! && first! > down, `${down}, ${first}, ${up}`);
});

const RUN = { steps: 8, scheduler: "dpm++2m", guidanceScale: 4, seed: 2 } as const;

/** Mean red, green and blue. */
function colour({ data }: Image): number[] {
  return [0, 1, 2].map((c) =>
    data.reduce((sum, value, i) => i % 3 === c ? sum + value : sum, 0) / (data.length / 3)
  );
}

/** How far two pictures' mean colours are apart. */
const apart = (a: Image, b: Image) =>
  Math.hypot(...colour(a).map((value, c) => value - colour(b)[c]!));

Deno.test("clipGuidance draws what the prompt does not say, likeScale what a picture shows", async () => {
  await using sd = await StableDiffusion.open();
  const draw = (options: Omit<GenerateOptions, "prompt">) =>
    sd.generate({ ...RUN, prompt: "a seven", ...options });
  const plain = await draw({});
  const wanted = "a red three on a blue background";
  const guided = await draw({ clipGuidance: 0.2, clipPrompt: wanted });
  const [before, after] = await opinions([plain, guided], wanted);
  // Seen: -0.16 before, 0.07 after.
  assert.ok(after! > before! + 0.1, `${before}, then ${after}`);
  const bold = "a bold green eight on a yellow background";
  const like = await sd.generate({ ...RUN, seed: 11, prompt: bold, guidanceScale: 5 });
  const digit = (options: Partial<GenerateOptions>) =>
    sd.generate({ ...RUN, seed: 4, guidanceScale: 3, prompt: "a digit", ...options });
  const [unlike, alike] = [await digit({}), await digit({ like, likeScale: 0.6 })];
  // Seen: mean colours 125 apart without, 43 with it.
  const far = apart(unlike, like), near = apart(alike, like);
  assert.ok(near < 0.7 * far, `${far}, then ${near}`);
});

/** CLIP's cosines of pictures with a text, by the lesson's own reading of both. */
async function opinions(images: readonly Image[], text: string): Promise<number[]> {
  const laboratory = { parts: await openModel(undefined), builder: builder(), isEmbedded: true };
  const clip = await Clip.open(laboratory as unknown as Laboratory);
  const [wanted] = await clip.texts([text]), seen = await clip.pictures(images);
  return seen.map((vector) => cosine(vector, wanted!));
}

Deno.test("clipGuidance finds the image encoder of the variant that the model was opened in", async () => {
  const digits = fileURLToPath(new URL("../../assets/digits", import.meta.url));
  await using embedded = await StableDiffusion.open();
  await using folder = await StableDiffusion.open(digits, { variant: "fp16" });
  const run = { ...RUN, prompt: "a seven", steps: 1, clipGuidance: 0.2, metadata: false };
  assert.deepEqual((await folder.generate(run)).data, (await embedded.generate(run)).data);
});

Deno.test("generate() says what guidance by CLIP lacks", async () => {
  await using sd = await StableDiffusion.open(MODEL, { threads: 1 });
  const run = { prompt: "a fox", steps: 1, width: 64, height: 64 };
  await assert.rejects(sd.generate({ ...run, clipGuidance: 0.1 }), /has no image_encoder\. Give/);
  await assert.rejects(sd.generate({ ...run, clipPrompt: "x" }), OptionError);
  await assert.rejects(sd.generate({ ...run, likeScale: 1 }), OptionError);
});

Deno.test("latent generate guides by --clip and --like, and latent verify draws it again", () =>
  inTemporaryFolder(async (folder) => {
    const clip = join(folder, "clip"), output = join(folder, "out.png");
    await Deno.mkdir(clip);
    await withTokenizer(clip);
    const like = ["--like", join(GOLDEN, "pictures/rgb.png")];
    const args = ["a fox", "-m", MODEL, "-W", "64", "-H", "64", "--steps", "2", "-s", "5", "-q"];
    const pulls = ["--clip", clip, "--clip-guidance", "0.1", "--like-scale", "0.2", ...like];
    assert.equal(await main(["generate", ...args, ...pulls, "-o", output]), 0);
    const plain = join(folder, "plain.png");
    assert.equal(await main(["generate", ...args, "-o", plain]), 0);
    assert.notDeepEqual((await Image.load(output)).data, (await Image.load(plain)).data);
    assert.equal(await main(["verify", output, ...like, "-q"]), 0);
  }));
