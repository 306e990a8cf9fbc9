/** `fast`: what it chooses, how near the pictures are, and that they say what was chosen. */

import assert from "node:assert/strict";
import { join } from "node:path";
import {
  cuda,
  type GenerateOptions,
  Image,
  optionsFromMetadata,
  readMetadata,
  StableDiffusion,
} from "../../mod.ts";
import { fastSteps, fastWeights } from "../../pipeline/fast.ts";
import type { ModelParts } from "../../pipeline/model_parts.ts";
import { multipliesBytes } from "../../pipeline/precision.ts";
import { inFolder, run, shell } from "../cli/process.ts";
import { psnr } from "./difference.ts";

const options: GenerateOptions = { prompt: "a yellow three on a purple background", steps: 25 };

Deno.test("fast fills in the step cache that suits the scheduler", async () => {
  await using sd = await StableDiffusion.open();
  const cache = (more: Partial<GenerateOptions>) =>
    sd.settings({ ...options, fast: true, ...more }).stepCache;
  for (const scheduler of ["DPM++ 2M", "DDIM", "Euler", "UniPC", "Heun"]) {
    assert.deepEqual(cache({ scheduler }), { interval: 5, start: 0.2 }, scheduler);
  }
  for (const scheduler of ["PNDMScheduler", "Euler a", "LMSDiscreteScheduler", "DPM++ 2M SDE"]) {
    assert.deepEqual(cache({ scheduler }), { interval: 5, start: 0.3 }, scheduler);
  }
  assert.equal(cache({ scheduler: "dpm_adaptive" }), undefined);
  assert.equal(cache({ scheduler: "PNDMScheduler", steps: 15 }), undefined, "too few calls");
  assert.equal(cache({ scheduler: "DDIM", steps: 15 })!.start, 0.3);
  assert.equal(cache({ scheduler: "DDIM", steps: 14 }), undefined);
  const own = { interval: 2, depth: 3 };
  assert.deepEqual(cache({ stepCache: own }), own, "what is given stays");
  assert.ok(!("fast" in sd.settings({ ...options, fast: true })));
});

/** Among them some that PNDM draws badly at any speed: the mean is what counts. */
const PROMPTS = [
  "a red zero on a purple background",
  "a green one on a blue background",
  "a blue two on a white background",
  "a yellow three on a purple background",
  "a white four on an orange background",
  "a red five on a green background",
];

for (const scheduler of ["PNDMScheduler", "DPM++ 2M"]) {
  Deno.test(`a fast picture is 28 dB from the full run or nearer: ${scheduler}`, async () => {
    await using sd = await StableDiffusion.open(undefined, { threads: 1 });
    await using fast = await StableDiffusion.open(undefined, { threads: 1, precision: "int8" });
    const apart: number[] = [];
    for (const [seed, prompt] of PROMPTS.entries()) {
      const all = { ...options, prompt, seed, scheduler };
      apart.push(psnr(await sd.generate(all), await fast.generate({ ...all, fast: true })));
    }
    const mean = apart.reduce((a, b) => a + b) / apart.length;
    assert.ok(mean >= 28 && mean < 70, `${apart.map((db) => db.toFixed(1))} dB`);
  });
}

Deno.test("a fast picture says what was chosen, and is drawn again bit for bit", async () => {
  await using sd = await StableDiffusion.open();
  const image = await sd.generate({ ...options, seed: 3, scheduler: "DDIM", fast: true });
  const again = optionsFromMetadata(readMetadata(image.text)!);
  assert.deepEqual(again.stepCache, { interval: 5, start: 0.2 });
  assert.deepEqual((await sd.generate(again)).data, image.data);
});

Deno.test("fast chooses the weights' form by model and processor", () => {
  const model = (channels: number, onnx?: object) =>
    ({ unet: { config: { downBlocks: [{ channels }] }, onnx } }) as unknown as ModelParts;
  const isX86 = Deno.build.arch === "x86_64";
  const large = isX86
    ? multipliesBytes() ? { precision: "int8" } : { convolution: "winograd" }
    : {};
  assert.deepEqual(fastWeights(model(320)), large);
  assert.deepEqual(fastWeights(model(64)), {});
  assert.deepEqual(fastWeights(model(320, {})), {});
  assert.deepEqual(fastWeights(model(320), [cuda()]), {});
  assert.deepEqual(fastWeights(model(320), [], { precision: "float32" }), {});
  assert.deepEqual(fastWeights(model(320), [], { convolution: "direct" }), {});
  assert.deepEqual(fastSteps(model(320, {}), { stages: [] }), {});
});

Deno.test("latent generate --fast draws what latent verify makes again; flags win", () =>
  inFolder(async (folder) => {
    const path = join(folder, "a.png"), plain = join(folder, "b.png");
    const drawing = ["generate", "a red seven", "--seed", "1", "--scheduler", "DDIM"];
    assert.equal((await run(...drawing, "--fast", "-o", path)).code, 0);
    const { stepCache } = optionsFromMetadata(readMetadata((await Image.load(path)).text)!);
    assert.deepEqual(stepCache, { interval: 5, start: 0.2 });
    assert.equal((await run("verify", path)).code, 0);
    const { out } = await shell("latent metadata a.png", folder);
    assert.match(out, /^ {2}stepCache: interval 5, start 0.2$/m);
    await run(...drawing, "--fast", "--cache-interval", "1", "-o", plain);
    assert.deepEqual(
      optionsFromMetadata(readMetadata((await Image.load(plain)).text)!).stepCache,
      { interval: 1 },
    );
  }));
