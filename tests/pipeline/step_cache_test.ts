/** Step caching on the embedded model: how far off, with what beside it, and when it is refused. */

import assert from "node:assert/strict";
import {
  type GenerateOptions,
  OptionError,
  optionsFromMetadata,
  readMetadata,
  StableDiffusion,
} from "../../mod.ts";
import { isWhole } from "../../pipeline/step_cache.ts";
import { psnr } from "./difference.ts";

const open = () => StableDiffusion.open(undefined, { threads: 1 });

const options: GenerateOptions = {
  prompt: "a yellow three on a purple background",
  seed: 1,
  steps: 20,
  scheduler: "DPM++ 2M",
};

Deno.test("isWhole takes all calls of the beginning, then every interval-th", () => {
  const whole = (cache: { interval: number; start?: number }, count: number) =>
    Array.from({ length: count }, (_, i) => i).filter((i) => isWhole(cache, i, count));
  assert.deepEqual(whole({ interval: 5 }, 25), [0, 1, 2, 3, 4, 9, 14, 19, 24]);
  assert.deepEqual(whole({ interval: 3, start: 0 }, 10), [0, 3, 6, 9]);
  assert.deepEqual(whole({ interval: 1 }, 4), [0, 1, 2, 3]);
  assert.deepEqual(whole({ interval: 9, start: 1 }, 4), [0, 1, 2, 3]);
});

Deno.test("a step cache of interval 1 draws the same bits", async () => {
  await using sd = await open();
  const plain = await sd.generate({ ...options, steps: 4 });
  const cached = await sd.generate({ ...options, steps: 4, stepCache: { interval: 1 } });
  assert.deepEqual(cached.data, plain.data);
});

Deno.test("a step cache with 9 of 25 calls whole stays above 28 dB", async () => {
  await using sd = await open();
  const apart: number[] = [];
  for (let seed = 0; seed < 4; seed++) {
    const all = { ...options, seed, steps: 25 };
    const plain = await sd.generate(all);
    apart.push(psnr(plain, await sd.generate({ ...all, stepCache: { interval: 5 } })));
  }
  const mean = apart.reduce((a, b) => a + b) / apart.length;
  assert.ok(mean >= 28 && mean < 70, `${apart.map((db) => db.toFixed(1))} dB`);
});

for (
  const [what, more] of [
    ["two calls a step", { scheduler: "Heun" }],
    ["fresh noise", { scheduler: "Euler a" }],
    ["an adaptive search", { scheduler: "dpm_adaptive" }],
    ["guidance in a part of the run", { guidanceInterval: [0, 0.5] }],
    ["no guidance", { guidanceScale: 1 }],
    ["prompts that change on the way", { prompt: "a [yellow:red:0.5] three" }],
    ["self-attention guidance", { selfAttentionScale: 0.5 }],
    ["perturbed-attention guidance", { perturbedAttentionScale: 2 }],
    ["FreeU", { freeU: { b1: 1.1, b2: 1.2, s1: 0.9, s2: 0.9 } }],
    ["a cut at the bottom", { stepCache: { interval: 3, depth: 6 } }],
  ] as const
) {
  Deno.test(`a step cache is near the full run with ${what}`, async () => {
    await using sd = await open();
    const all: GenerateOptions = { ...options, steps: 12, ...more };
    const plain = await sd.generate({ ...all, stepCache: { interval: 1 } });
    const cached = await sd.generate({ stepCache: { interval: 3, depth: 3 }, ...all });
    const apart = psnr(plain, cached);
    assert.ok(apart > 20 && apart < Infinity, `${apart} dB`);
  });
}

Deno.test("a picture with a step cache says so and is drawn again bit for bit", async () => {
  await using sd = await open();
  const stepCache = { interval: 4, depth: 2, start: 0.1 };
  const image = await sd.generate({ ...options, steps: 8, stepCache });
  const again = optionsFromMetadata(readMetadata(image.text)!);
  assert.deepEqual(again.stepCache, stepCache);
  assert.deepEqual((await sd.generate(again)).data, image.data);
});

Deno.test("a step cache that cannot be is refused in one line", async () => {
  await using sd = await open();
  const refused = (stepCache: NonNullable<GenerateOptions["stepCache"]>, text: RegExp) =>
    assert.throws(() => sd.settings({ ...options, stepCache }), (error: unknown) => {
      assert.ok(error instanceof OptionError && text.test(error.message), String(error));
      assert.ok(!error.message.includes("\n"));
      return true;
    });
  refused({ interval: 0 }, /stepCache.interval must be a whole number of at least 1/);
  refused({ interval: 2, depth: 7 }, /6 skip connections; got a cache depth of 7/);
  refused({ interval: 2, start: 2 }, /stepCache.start/);
});
