/** IP-Adapter and T2I-Adapter against diffusers. */

import { strict as assert } from "node:assert";
import { ipAdapterProjection } from "../../models/ip_adapter.ts";
import { crossAttentionOrder, ipAdapterConfig } from "../../models/ip_adapter_config.ts";
import { t2iAdapter, t2iAdapterConfig } from "../../models/t2i_adapter.ts";
import { unet } from "../../models/unet.ts";
import { unetConfig } from "../../models/unet_config.ts";
import { ModelFormatError } from "../../weights/model_format_error.ts";
import { golden } from "./golden.ts";
import { assertGolden, runCase } from "./run_golden.ts";

for (const [kind, states, tokens] of [["pooled", 1, 4], ["plus", 6, 3], ["full", 6, 6]] as const) {
  Deno.test(`ipAdapterProjection ${kind} equals diffusers`, async () => {
    const it = await golden(`ip_${kind}`), config = ipAdapterConfig(it.weights);
    assert.deepEqual([config.kind, config.crossDim, config.embedDim], [kind, 12, 10]);
    const model = ipAdapterProjection(config, it.weights, { batch: 2, states });
    assert.deepEqual(model.unexpected, []);
    assert.deepEqual(model.outputs.image_tokens!.shape, [2, tokens, 12]);
    const { image_tokens } = await runCase(model, it, "two");
    await assertGolden(image_tokens, it, "two/image_tokens");
  });
}

Deno.test("unet looks at the pictures of two IP-Adapters, each with its scale", async () => {
  const it = await golden("unet_image_prompt");
  const [pooled, plus] = [await golden("ip_pooled"), await golden("ip_plus")];
  const config = unetConfig({ ...it.json, _class_name: "UNet2DConditionModel" }, it.path);
  const shape = { batch: 2, height: 9, width: 8, sequence: 5 };
  const model = unet(config, it.weights, shape, {
    imagePrompts: [{ weights: pooled.weights, tokens: 4 }, { weights: plus.weights, tokens: 3 }],
  });
  assert.deepEqual(model.unexpected, []);
  const { noise_prediction } = await runCase(model, it, "two");
  await assertGolden(noise_prediction, it, "two/noise_prediction");
});

Deno.test("crossAttentionOrder counts down, up, and the mid block last", async () => {
  const it = await golden("unet_image_prompt");
  const config = unetConfig({ ...it.json, _class_name: "UNet2DConditionModel" }, it.path);
  const order = crossAttentionOrder(config);
  assert.equal(order.length, 7);
  assert.equal(order[0], "down_blocks.0.attentions.0.transformer_blocks.0");
  assert.equal(order.at(-1), "mid_block.attentions.0.transformer_blocks.0");
});

Deno.test("ipAdapterConfig refuses the file of another kind of adapter", async () => {
  const { weights } = await golden("t2i_light_adapter");
  assert.throws(() => ipAdapterConfig(weights), (error) => error instanceof ModelFormatError);
});

for (const kind of ["full_adapter", "full_adapter_xl", "light_adapter"]) {
  Deno.test(`t2iAdapter ${kind} equals diffusers`, async () => {
    const it = await golden(`t2i_${kind}`), config = t2iAdapterConfig(it.json, it.path);
    const model = t2iAdapter(config, it.weights, { batch: 1, height: 32, width: 32 });
    assert.deepEqual(model.unexpected, []);
    const outputs = await runCase(model, it, "one");
    for (const [name, values] of Object.entries(outputs)) {
      await assertGolden(values, it, `one/${name}`, 1e-4);
    }
  });
}

for (
  const [kind, side, features] of [["full_adapter", 8, 3], ["full_adapter_xl", 16, 4]] as const
) {
  Deno.test(`unet adds the features of a T2I-Adapter: ${kind}`, async () => {
    const it = await golden(`unet_${kind}`);
    const config = unetConfig({ ...it.json, _class_name: "UNet2DConditionModel" }, it.path);
    const shape = { batch: 1, height: side, width: side, sequence: 5 };
    const model = unet(config, it.weights, shape, { adapterFeatures: features });
    const { noise_prediction } = await runCase(model, it, "one");
    await assertGolden(noise_prediction, it, "one/noise_prediction");
  });
}
