import assert from "node:assert/strict";
import { join } from "node:path";
import { main } from "../../cli.ts";
import { openRuntime } from "../../ffi/runtime.ts";
import { StableDiffusion } from "../../mod.ts";
import { inFolder, run } from "../cli/process.ts";
import { assertDrawnAs, assertSame, caseArgs, caseNames, CONTAINERS } from "./golden_pictures.ts";

openRuntime(); // stays loaded: no leak of the test that happens to come first

const BASE = join(CONTAINERS, "base"), REFINER = join(CONTAINERS, "refiner");

for (const name of caseNames(/^(refiner|denoising|size|negative)/)) {
  Deno.test(`SDXL draws what diffusers draws: ${name}`, () => assertDrawnAs(name));
}

Deno.test("a refined picture's steps are numbered through both models", async () => {
  await using sd = await StableDiffusion.open(BASE, { refiner: REFINER });
  const steps = [];
  const options = { prompt: "a fox", seed: 1, steps: 8, width: 64, height: 64, refinerStart: 0.5 };
  for await (const { index, count } of sd.denoise(options)) steps.push([index, count]);
  assert.deepEqual(steps, Array.from({ length: 8 }, (_, i) => [i, 8]));
});

Deno.test("--refiner and its start are in the record: a replay draws the very picture", () =>
  inFolder(async (folder) => {
    const [first, again] = [join(folder, "a.png"), join(folder, "b.png")];
    const draw = ["generate", ...caseArgs("refiner-eulerdiscrete"), "--output", first];
    assert.equal((await run(...draw)).code, 0);
    assert.equal(await main(["generate", "--from", first, "--output", again, "--quiet"]), 0);
    await assertSame(first, again, 0);
    assert.equal(await main(["verify", first, "--quiet"]), 0);
  }));

Deno.test("options that the models at hand do not read are refused by name", async () => {
  const small = { prompt: "a fox", width: 64, height: 64 };
  await using base = await StableDiffusion.open(BASE);
  assert.throws(() => base.settings({ ...small, refinerStart: 0.5 }), /there is no refiner/);
  assert.throws(() => base.settings({ ...small, aestheticScore: 6 }), /only SDXL's refiner/);
  assert.throws(() => base.settings({ ...small, denoisingStart: 0.5 }), /needs the image/);
  await using alone = await StableDiffusion.open(REFINER);
  assert.throws(() => alone.settings(small), /SDXL's refiner, which does not draw from nothing/);
  await using both = await StableDiffusion.open(BASE, { refiner: REFINER });
  assert.throws(
    () =>
      both.settings({
        ...small,
        latents: both.startingNoise(both.settings(small)),
        denoisingStart: 0.9,
      }),
    /the refiner starts at 0.8, before the base's own start/,
  );
  await using digits = await StableDiffusion.open();
  const size = { ...small, originalSize: { width: 64, height: 64 } };
  assert.throws(() => digits.settings(size), /only SDXL models are told the originalSize/);
  await assert.rejects(
    StableDiffusion.open(undefined, { refiner: REFINER }),
    /only SDXL's base model is refined/,
  );
});
