/** Token merging in whole pictures of the embedded model. */

import assert from "node:assert/strict";
import {
  type GenerateOptions,
  OptionError,
  optionsFromMetadata,
  readMetadata,
  StableDiffusion,
} from "../../mod.ts";
import { psnr } from "./difference.ts";

const options: GenerateOptions = {
  prompt: "a yellow three on a purple background",
  seed: 1,
  steps: 8,
  scheduler: "DPM++ 2M",
};

Deno.test("token merging of 0 draws the same bits, of 0.25 nearly the same picture", async () => {
  await using sd = await StableDiffusion.open(undefined, { threads: 1 });
  const plain = await sd.generate(options);
  assert.deepEqual((await sd.generate({ ...options, tokenMerging: 0 })).data, plain.data);
  const merged = await sd.generate({ ...options, tokenMerging: 0.25 });
  const near = psnr(merged, plain);
  assert.ok(near > 20 && near < Infinity, `${near} dB`);
  const again = optionsFromMetadata(readMetadata(merged.text)!);
  assert.equal(again.tokenMerging, 0.25);
  assert.deepEqual((await sd.generate(again)).data, merged.data);
});

Deno.test("token merging goes with a step cache and with FreeU", async () => {
  await using sd = await StableDiffusion.open(undefined, { threads: 1 });
  const image = await sd.generate({
    ...options,
    tokenMerging: 0.5,
    stepCache: { interval: 2 },
    freeU: { b1: 1.1, b2: 1.2, s1: 0.9, s2: 0.9 },
  });
  assert.equal(image.width, 64);
});

Deno.test("token merging beyond three quarters is refused", async () => {
  await using sd = await StableDiffusion.open(undefined, { threads: 1 });
  const refused = (error: unknown) =>
    error instanceof OptionError && error.option === "tokenMerging" &&
    /between 0 and 0.75; got 0.8/.test(error.message);
  assert.throws(() => sd.settings({ ...options, tokenMerging: 0.8 }), refused);
});
