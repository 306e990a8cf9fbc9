/** Pictures of a batch, held against the same pictures drawn alone. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openRuntime } from "../../ffi/runtime.ts";
import { commonOptions, optionsApart } from "../../pipeline/generate_many.ts";
import { Image } from "../../pipeline/image.ts";
import { inStep } from "../../pipeline/lockstep.ts";
import type { GenerateOptions } from "../../pipeline/options.ts";
import { optionsFromMetadata } from "../../pipeline/metadata_options.ts";
import { readMetadata } from "../../pipeline/metadata.ts";
import type { OpenOptions } from "../../pipeline/open_options.ts";
import { StableDiffusion } from "../../pipeline/stable_diffusion.ts";

const GOLDEN = fileURLToPath(new URL("../golden/", import.meta.url));
const SD1 = join(GOLDEN, "reference/models/sd1"), SDXL = join(GOLDEN, "containers/base");
const SMALL = { width: 64, height: 64, steps: 3 };
const ONE = { ...SMALL, prompt: "a hill", seed: 1, guidanceScale: 7.5 };
const TWO = { ...SMALL, prompt: "a red (sea:1.3)", seed: 22, guidanceScale: 3 };
const THREE = { ...SMALL, prompt: "a wood", negativePrompt: "blue", seed: 3, guidanceScale: 12 };

openRuntime(); // stays loaded: no leak of the test that happens to come first

/** A picture of stripes. */
function stripes(every: number): Image {
  const data = Uint8ClampedArray.from({ length: 3 * 64 * 64 }, (_, i) => (i % every) ? 40 : 220);
  return new Image(64, 64, data);
}

/** A mask that is white on one side. */
function half(side: "left" | "right"): Image {
  const bright = (i: number) => (Math.floor(i / 3) % 64 < 32) === (side === "left");
  const data = Uint8ClampedArray.from({ length: 3 * 64 * 64 }, (_, i) => bright(i) ? 255 : 0);
  return new Image(64, 64, data);
}

/** Pictures drawn together, and alone. */
async function bothWays(
  pictures: readonly GenerateOptions[],
  { model = SD1, ...options }: OpenOptions & { readonly model?: string } = {},
): Promise<{ together: Image[]; alone: Image[] }> {
  await using sd = await StableDiffusion.open(model, options);
  const alone: Image[] = [], together: Image[] = [];
  for (const picture of pictures) alone.push(await sd.generate(picture));
  for await (const result of sd.generateMany(pictures, { batch: pictures.length })) {
    if (result.status === "rejected") throw result.reason;
    together.push(result.value);
  }
  return { together, alone };
}

async function assertSame(...args: Parameters<typeof bothWays>): Promise<void> {
  const { together, alone } = await bothWays(...args);
  assert.deepEqual(together.map(({ data }) => data), alone.map(({ data }) => data));
  assert.equal(new Set(alone.map(({ data }) => data.join())).size, alone.length);
}

for (const [name, model] of [["SD 1", SD1], ["SDXL", SDXL], ["the embedded model", undefined]]) {
  Deno.test(`a picture of a batch is the picture drawn alone: ${name}`, async () => {
    await using sd = await StableDiffusion.open(model);
    const pictures = [ONE, TWO, THREE].map((picture) => ({ ...picture, scheduler: "euler_a" }));
    const alone = [];
    for (const picture of pictures) alone.push((await sd.generate(picture)).data);
    const together = await inStep(pictures.map((picture) => async (seat) => {
      return (await sd.generate({ ...picture, seat })).data;
    }));
    assert.deepEqual(together, alone.map((value) => ({ status: "fulfilled", value })));
  });
}

const CASES: Record<string, (Partial<GenerateOptions> & { readonly open?: OpenOptions })[]> = {
  "prompts that are composed, scheduled and long": [
    { prompt: "a hill AND a sea :0.5" },
    { prompt: "a [hill:sea:0.5]" },
    { prompt: "a hill, ".repeat(40) },
  ],
  "image to image": [
    { image: stripes(5), strength: 0.7 },
    { image: stripes(7), strength: 0.7 },
  ],
  "inpainting": [
    { image: stripes(5), mask: half("left") },
    { image: stripes(7), mask: half("right"), maskBlur: 2 },
  ],
  "guidance by perturbation and self-attention": [
    { perturbedAttentionScale: 3, selfAttentionScale: 0.75 },
    { perturbedAttentionScale: 3, selfAttentionScale: 0.75, seed: 9 },
  ],
  "a part of the run that is guided": [
    { guidanceInterval: [0.3, 0.7], steps: 4 },
    { guidanceInterval: [0.3, 0.7], steps: 4, seed: 9 },
  ],
  "hires": [{ hires: { scale: 1.5 } }, { hires: { scale: 1.5 }, seed: 9 }],
  "a step cache": [
    { stepCache: { interval: 2, start: 0 }, steps: 6 },
    { stepCache: { interval: 2, start: 0 }, steps: 6, seed: 9 },
  ],
  "ControlNets": [
    {
      controls: [{ image: stripes(5), end: 0.7 }],
      open: { controlNets: [join(GOLDEN, "reference/models/controlnet")] },
    },
    { controls: [{ image: stripes(7), end: 0.7 }] },
  ],
  "IP-Adapters": [
    {
      imagePrompts: [{ image: stripes(5), scale: 0.6 }],
      open: { ipAdapters: [{ path: join(GOLDEN, "steering/ip_pooled.safetensors") }] },
    },
    { imagePrompts: [{ image: stripes(7), scale: 0.6 }] },
  ],
};

for (const [name, pictures] of Object.entries(CASES)) {
  Deno.test(`a picture of a batch is the picture drawn alone: ${name}`, async () => {
    const list = pictures.map(({ open: _, ...own }) => ({ ...ONE, ...own }));
    await assertSame(list, pictures[0]!.open);
  });
}

Deno.test("pictures without guidance differ by rounding alone, and their record draws them again", async () => {
  await using sd = await StableDiffusion.open();
  const pictures = [ONE, TWO].map((picture) => ({ ...picture, guidanceScale: 1 }));
  for await (const result of sd.generateMany(pictures, { batch: 2 })) {
    assert.ok(result.status === "fulfilled");
    const { value: image } = result, found = await readMetadata(image.text);
    const options = optionsFromMetadata(found!);
    assert.equal(options.asBatchOf, 2);
    assert.deepEqual((await sd.generate(options)).data, image.data);
    const { asBatchOf: _, ...plain } = options, alone = await sd.generate(plain);
    assert.ok(alone.data.every((value, i) => Math.abs(value - image.data[i]!) <= 1));
  }
});

Deno.test("inStep() with int8 leaves each picture the U-Net to itself", async () => {
  await using sd = await StableDiffusion.open(SD1, { precision: "int8" });
  const alone = [(await sd.generate(ONE)).data, (await sd.generate(TWO)).data];
  const together = await inStep([ONE, TWO].map((picture) => async (seat) => {
    return (await sd.generate({ ...picture, seat })).data;
  }));
  assert.deepEqual(together, alone.map((value) => ({ status: "fulfilled", value })));
});

Deno.test("generateMany() says which pictures failed, and draws the others as alone", async () => {
  await using sd = await StableDiffusion.open(SD1);
  const controller = new AbortController();
  const late = { ...TWO, signal: controller.signal }, lost = { ...TWO, prompt: "<lora:none:1>" };
  const alone = [(await sd.generate(ONE)).data, (await sd.generate(THREE)).data];
  const wrong = { ...ONE, steps: 0 };
  const steps: number[] = [];
  const results = await inStep([ONE, late, THREE].map((picture, i) => async (seat) => {
    let latents;
    for await (const step of sd.denoise({ ...picture, seat })) {
      steps.push(i);
      latents = step.latents;
      if (i === 2 && step.index === 0) controller.abort(new Error("too late"));
    }
    return (await sd.decode(latents!)).data;
  }));
  assert.deepEqual(steps.slice(0, 3).sort(), [0, 1, 2]);
  assert.deepEqual(steps.slice(3, 5).sort(), [0, 2]);
  const told = (result: PromiseSettledResult<unknown>) =>
    result.status === "rejected" ? result.reason.message : result.value;
  assert.deepEqual(results.map(told), [alone[0], "too late", alone[1]]);

  const many = [];
  for await (const result of sd.generateMany([ONE, lost, wrong, THREE], { batch: 4 })) {
    many.push(result.status === "rejected" ? result.reason.option : result.value.data);
  }
  assert.deepEqual(many, [alone[0], "prompt", "steps", alone[1]]);
});

Deno.test("optionsApart() names what keeps pictures from one batch, and only that", async () => {
  await using sd = await StableDiffusion.open(SD1);
  const apart = (a: Partial<GenerateOptions>, b: Partial<GenerateOptions>) =>
    optionsApart(sd.settings({ ...ONE, ...a }), sd.settings({ ...ONE, ...b }));
  assert.deepEqual(apart(ONE, { ...THREE, guidanceRescale: 0.5, clipSkip: 1 }), []);
  assert.deepEqual(apart({}, { steps: 4 }), ["steps"]);
  assert.deepEqual(apart({}, { width: 72, scheduler: "euler" }), ["width", "scheduler"]);
  assert.deepEqual(apart({}, { guidanceScale: 1 }), ["guidance"]);
  assert.deepEqual(apart({}, { prompt: "a <lora:b:1>" }), ["prompt"]);
  assert.deepEqual(apart({}, { image: stripes(5) }), ["image"]);
  assert.deepEqual(apart({ image: stripes(5) }, { image: stripes(7) }), []);
  const solver = () => ({ name: "mine", basis: "epsilon" as const, calls: () => [] });
  assert.deepEqual(apart({ scheduler: solver() }, { scheduler: solver() }), ["scheduler"]);
  const mine = solver();
  assert.deepEqual(apart({ scheduler: mine }, { scheduler: mine }), []);
  assert.equal(commonOptions(sd.settings(ONE)).has("seed"), false);
});

Deno.test("batchSize() is more than one for small models, and less for larger pictures", async () => {
  await using small = await StableDiffusion.open();
  const side = (pixels: number) =>
    small.batchSize(small.settings({ ...ONE, width: pixels, height: pixels }));
  assert.ok(side(64) > side(128) && side(128) > side(256));
  assert.equal(side(512), 1);
});
