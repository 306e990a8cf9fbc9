import { strict as assert } from "node:assert";
import { controlNet } from "../../models/controlnet.ts";
import { controlNetConfig } from "../../models/controlnet_config.ts";
import { golden } from "./golden.ts";
import { assertGolden, runCase } from "./run_golden.ts";

for (const [size, guessMode] of [["8x8", false], ["5x7", false], ["8x8", true]] as const) {
  const name = size + (guessMode ? "_guess" : "");
  Deno.test(`controlNet ${name} gives diffusers' residuals`, async () => {
    const it = await golden("controlnet");
    const [height, width] = size.split("x").map(Number) as [number, number];
    const config = controlNetConfig(it.json, it.path);
    const shape = { batch: 2, height, width, sequence: 5 };
    const model = controlNet(config, it.weights, shape, { guessMode });
    assert.deepEqual(model.unexpected, []);
    const outputs = await runCase(model, it, name);
    assert.equal(Object.keys(outputs).length, 7);
    for (const [key, value] of Object.entries(outputs)) {
      await assertGolden(value, it, `${name}/${key}`);
    }
  });
}
