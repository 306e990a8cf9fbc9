import { strict as assert } from "node:assert";
import { vaeConfig } from "../../models/vae_config.ts";
import { vaeDecoder } from "../../models/vae_decoder.ts";
import { vaeEncoder } from "../../models/vae_encoder.ts";
import { golden } from "./golden.ts";
import { assertGolden, runCase } from "./run_golden.ts";

const CASES: readonly [string, string][] = [
  ["vae_sd", "of Stable Diffusion"],
  ["vae_old_names", "with the attention's names of before 2023"],
  ["vae_shifted", "with per-channel statistics, without attention and quantization"],
];

for (const [name, what] of CASES) {
  for (const [height, width] of [[4, 4], [5, 3]] as const) {
    const size = `${height}x${width}`;

    Deno.test(`vaeDecoder ${name} ${size} equals diffusers: ${what}`, async () => {
      const it = await golden(name);
      const config = vaeConfig(it.json, it.path);
      const model = vaeDecoder(config, it.weights, { batch: 2, height, width });
      assert.deepEqual(model.unexpected, []);
      const outputs = await runCase(model, it, size);
      await assertGolden(outputs.image, it, `${size}/decoded`);
    });

    Deno.test(`vaeEncoder ${name} ${size} equals diffusers: ${what}`, async () => {
      const it = await golden(name);
      const config = vaeConfig(it.json, it.path);
      const model = vaeEncoder(config, it.weights, { batch: 1, height, width });
      assert.deepEqual(model.unexpected, []);
      const outputs = await runCase(model, it, size);
      await assertGolden(outputs.mean, it, `${size}/mean`);
      await assertGolden(outputs.logvar, it, `${size}/logvar`);
    });
  }
}
