import { strict as assert } from "node:assert";
import { unet } from "../../models/unet.ts";
import { unetConfig } from "../../models/unet_config.ts";
import { golden } from "./golden.ts";
import { assertGolden, runCase } from "./run_golden.ts";

const CASES: readonly [string, string, string[]][] = [
  ["unet_sd1", "SD 1's convolution projections", ["8x8", "13x11"]],
  ["unet_sd2", "SD 2's linear projections and heads for each block", ["8x8", "13x11"]],
  ["unet_inpaint", "nine input channels", ["8x8"]],
  ["unet_sdxl", "SDXL's pooled text, sizes and deeper transformers", ["8x8", "13x11"]],
  ["unet_digits", "attention in the middle resolution only", ["8x8"]],
  ["unet_lcm", "a guidance embedding beside the timestep", ["6x10"]],
  ["unet_small", "no mid block, layers listed, class labels, cross-attention only", ["7x8"]],
];

for (const [name, what, sizes] of CASES) {
  for (const size of sizes) {
    Deno.test(`unet ${name} ${size} equals diffusers: ${what}`, async () => {
      const it = await golden(name);
      const [height, width] = size.split("x").map(Number) as [number, number];
      const config = unetConfig(it.json, it.path);
      const model = unet(config, it.weights, { batch: 2, height, width, sequence: 5 });
      assert.deepEqual(model.unexpected, []);
      const outputs = await runCase(model, it, size);
      await assertGolden(outputs.noise_prediction, it, `${size}/noise_prediction`);
    });
  }
}

Deno.test("unet adds the residuals of a ControlNet to its skips and mid block", async () => {
  const it = await golden("unet_controlled");
  const shape = { batch: 2, height: 5, width: 7, sequence: 5 };
  const model = unet(unetConfig(it.json, it.path), it.weights, shape, { controlResiduals: true });
  const outputs = await runCase(model, it, "5x7");
  await assertGolden(outputs.noise_prediction, it, "5x7/noise_prediction");
});
