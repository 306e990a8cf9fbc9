/** What steers a picture, held against diffusers' pictures of the same tiny model. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type GenerateOptions, Image, type OpenOptions, StableDiffusion } from "../../mod.ts";

interface Case {
  readonly name: string;
  readonly options: GenerateOptions;
  readonly image?: string;
  readonly mask?: string;
  readonly depth?: string;
  /** A folder beside the case with another U-Net, and the pipeline's class. */
  readonly unet?: string;
  readonly pipeline?: string;
  /** What the network beside the U-Net is shown, and where that network is. */
  readonly shown?: string;
  readonly ipAdapter?: string;
  readonly t2iAdapter?: string;
  readonly controlNet?: string;
}

const GOLDEN = fileURLToPath(new URL("../golden/", import.meta.url));
const STEERING = join(GOLDEN, "steering"), MODEL = join(GOLDEN, "reference/models/sd1");
const { cases } = JSON.parse(Deno.readTextFileSync(join(STEERING, "cases.json"))) as {
  cases: Case[];
};

/** The tiny model's folder with another U-Net. */
async function withUnet(folder: string, unet: string, pipeline: string): Promise<string> {
  for (const part of ["scheduler", "text_encoder", "tokenizer", "vae"]) {
    await Deno.symlink(join(MODEL, part), join(folder, part));
  }
  await Deno.symlink(join(STEERING, unet), join(folder, "unet"));
  const index = JSON.parse(await Deno.readTextFile(join(MODEL, "model_index.json")));
  const text = JSON.stringify({ ...index, _class_name: pipeline });
  await Deno.writeTextFile(join(folder, "model_index.json"), text);
  return folder;
}

async function load(name: string | undefined): Promise<Image | undefined> {
  return name === undefined ? undefined : await Image.load(join(STEERING, name));
}

/** The networks beside the U-Net. */
function networksOf({ ipAdapter, t2iAdapter, controlNet }: Case): OpenOptions {
  return {
    threads: 1,
    ...(ipAdapter && { ipAdapters: [{ path: join(STEERING, ipAdapter) }] }),
    ...(t2iAdapter && { t2iAdapters: [join(STEERING, t2iAdapter)] }),
    ...(controlNet && { controlNets: [join(STEERING, controlNet)] }),
  };
}

/** The options, with the picture that a network is shown. */
function showing(options: GenerateOptions, shown: Image | undefined): GenerateOptions {
  if (!shown) return options;
  const lists = ["imagePrompts", "adapters", "controls"] as const;
  const pictures = lists.filter((list) => options[list])
    .map((list) => [list, options[list]!.map((one) => ({ ...one, image: shown }))]);
  return { ...options, ...Object.fromEntries(pictures) };
}

async function draw(one: Case): Promise<Image> {
  const { options, image, mask, depth, unet, pipeline, shown } = one;
  const pictures = { image: await load(image), mask: await load(mask), depth: await load(depth) };
  const given = Object.fromEntries(Object.entries(pictures).filter(([, picture]) => picture));
  const folder = await Deno.makeTempDir();
  try {
    const model = unet === undefined ? MODEL : await withUnet(folder, unet, pipeline!);
    await using sd = await StableDiffusion.open(model, networksOf(one));
    return await sd.generate({ ...showing(options, await load(shown)), ...given });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

for (const one of cases) {
  Deno.test(`generate() draws what diffusers draws: ${one.name}`, async () => {
    const drawn = await draw(one), expected = await Image.load(join(STEERING, `${one.name}.png`));
    assert.deepEqual([drawn.width, drawn.height], [expected.width, expected.height]);
    let largest = 0, sum = 0;
    drawn.data.forEach((value, i) => {
      const d = Math.abs(value - expected.data[i]!);
      largest = Math.max(largest, d);
      sum += d;
    });
    const mean = sum / drawn.data.length;
    assert.ok(largest <= 3 && mean <= 0.1, `largest ${largest}, mean ${mean}`);
  });
}
