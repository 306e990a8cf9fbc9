import { strict as assert } from "node:assert";
import { vaeConfig } from "../../models/vae_config.ts";
import { latentScale, latentsFromMoments } from "../../models/vae_latents.ts";

const SHAPE = { batch: 1, height: 1, width: 2 };
const json = { scaling_factor: 0.5, shift_factor: 0.25, latent_channels: 2 };

Deno.test("latentsFromMoments draws around the mean and normalizes", () => {
  const config = vaeConfig(json, "p");
  const mean = new Float32Array([1, 2, 3, 4]);
  const logvar = new Float32Array([0, Math.log(4), 0, 0]);
  const noise = new Float32Array([1, 1, -1, 0]);
  const latents = latentsFromMoments(config, { mean, logvar }, SHAPE, noise);
  const expected = [(1 + 1 - 0.25) / 2, (2 + 2 - 0.25) / 2, (3 - 1 - 0.25) / 2, (4 - 0.25) / 2];
  latents.forEach((value, i) => assert.ok(Math.abs(value - expected[i]!) < 1e-6, `${latents}`));
  assert.deepEqual([...latentsFromMoments(config, { mean, logvar }, SHAPE)], [
    0.375,
    0.875,
    1.375,
    1.875,
  ]);
});

Deno.test("latentsFromMoments normalizes each channel by its statistics where there are any", () => {
  const config = vaeConfig({ ...json, latents_mean: [1, -1], latents_std: [2, 0.25] }, "p");
  assert.deepEqual(latentScale(config), { shift: [1, -1], scale: [0.25, 2] });
  const mean = new Float32Array([1, 3, 0, 1]);
  const latents = latentsFromMoments(config, { mean, logvar: mean }, SHAPE);
  assert.deepEqual([...latents], [0, 0.5, 2, 4]);
});

Deno.test("latentsFromMoments refuses arrays of another size", () => {
  const config = vaeConfig(json, "p");
  const four = new Float32Array(4);
  assert.throws(
    () => latentsFromMoments(config, { mean: four, logvar: four }, { ...SHAPE, batch: 2 }),
    /got 4 numbers, expected 8/,
  );
});
