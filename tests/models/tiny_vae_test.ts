import { strict as assert } from "node:assert";
import { tinyVaeConfig, tinyVaeDecoder, tinyVaeEncoder } from "../../models/tiny_vae.ts";
import { golden } from "./golden.ts";
import { assertGolden, runCase } from "./run_golden.ts";

Deno.test("tinyVaeDecoder and tinyVaeEncoder equal diffusers' AutoencoderTiny", async () => {
  const it = await golden("vae_tiny");
  const config = tinyVaeConfig(it.json, it.path);
  const shape = { batch: 1, height: 5, width: 3 };
  const decoder = tinyVaeDecoder(config, it.weights, shape);
  assert.deepEqual(decoder.unexpected, []);
  await assertGolden((await runCase(decoder, it, "5x3")).image, it, "5x3/decoded");
  const encoder = tinyVaeEncoder(config, it.weights, shape);
  assert.deepEqual(encoder.unexpected, []);
  await assertGolden((await runCase(encoder, it, "5x3")).latents, it, "5x3/encoded");
});
