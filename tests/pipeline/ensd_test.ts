import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { StableDiffusion } from "../../mod.ts";
import { TorchCpuGenerator } from "../../schedulers/random/torch_cpu.ts";

const MODEL = fileURLToPath(new URL("../golden/reference/models/sd1", import.meta.url));

Deno.test("ensd draws a sampler's own noise from the seed plus it, and the first noise from the seed", async () => {
  await using sd = await StableDiffusion.open(MODEL);
  const run = { prompt: "a fox", seed: 5, steps: 3, width: 64, height: 64, scheduler: "euler_a" };
  const first = async (ensd: number) => {
    const options = { ...run, ensd };
    const { value } = await sd.denoise(options).next();
    assert.ok(value);
    const weight = value.stage.next.noise![0]!;
    return { latents: value.latents.data, denoised: value.denoised.data, weight };
  };
  const [plain, moved] = [await first(0), await first(31337)];
  assert.deepEqual(moved.denoised, plain.denoised);
  const count = plain.latents.length;
  const usual = new TorchCpuGenerator(5);
  usual.normal(count);
  const [a, b] = [usual.normal(count), new TorchCpuGenerator(5 + 31337).normal(count)];
  for (let i = 0; i < count; i++) {
    const difference = moved.latents[i]! - plain.latents[i]!;
    assert.ok(Math.abs(difference - plain.weight * (b[i]! - a[i]!)) < 1e-4 * plain.weight);
  }
  assert.throws(() => sd.settings({ ...run, ensd: -1 }), /ensd/);
});
