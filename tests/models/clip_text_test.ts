import { strict as assert } from "node:assert";
import { clipTextConfig } from "../../models/clip_config.ts";
import { clipTextModel } from "../../models/clip_text.ts";
import { golden } from "./golden.ts";
import { assertGolden, runCase } from "./run_golden.ts";

const shape = { batch: 2, sequence: 11 };

async function open(name: string, changes: Record<string, unknown> = {}) {
  const it = await golden(name);
  return { it, config: clipTextConfig({ ...it.json, ...changes }, it.path) };
}

for (const name of ["text_quick_gelu", "text_gelu"]) {
  Deno.test(`clipTextModel ${name} gives the last hidden state and the pooled one`, async () => {
    const { it, config } = await open(name);
    const model = clipTextModel(config, it.weights, shape, { pooled: true });
    assert.deepEqual(model.unexpected, []);
    const outputs = await runCase(model, it, "prompt");
    await assertGolden(outputs.hidden_states, it, "prompt/last");
    await assertGolden(outputs.pooled, it, "prompt/pooled");
  });

  Deno.test(`clipTextModel ${name} stops at an earlier layer, with and without final norm`, async () => {
    const { it, config } = await open(name);
    for (const [finalLayerNorm, key] of [[true, "_normed"], [false, ""]] as const) {
      const model = clipTextModel(config, it.weights, shape, { hiddenState: -2, finalLayerNorm });
      assert.deepEqual(Object.keys(model.outputs), ["hidden_states"]);
      const outputs = await runCase(model, it, "prompt");
      await assertGolden(outputs.hidden_states, it, `prompt/hidden-2${key}`);
    }
  });
}

Deno.test("clipTextModel projects the pooled state, also where the config says end token 2", async () => {
  const { it, config } = await open("text_projection", {
    architectures: ["CLIPTextModelWithProjection"],
  });
  const options = { hiddenState: -2, finalLayerNorm: false } as const;
  const outputs = await runCase(clipTextModel(config, it.weights, shape, options), it, "prompt");
  await assertGolden(outputs.hidden_states, it, "prompt/hidden-2");
  await assertGolden(outputs.pooled, it, "prompt/pooled");
});
