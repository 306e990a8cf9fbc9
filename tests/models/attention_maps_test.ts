import { strict as assert } from "node:assert";
import { lowering } from "../../graph/lowering.ts";
import { crossAttentionMaps } from "../../models/attention_maps.ts";
import { unet } from "../../models/unet.ts";
import { unetConfig } from "../../models/unet_config.ts";
import { golden } from "./golden.ts";
import { assertGolden, runCase } from "./run_golden.ts";

const SHAPE = { batch: 2, height: 13, width: 11, sequence: 5 };

for (const target of ["fused", "standard"] as const) {
  Deno.test(`crossAttentionMaps are diffusers' attention weights, from ${target} nodes`, async () => {
    const it = await golden("unet_sd1");
    const config = unetConfig(it.json, it.path);
    const model = lowering(target, () => unet(config, it.weights, SHAPE));
    const maps = crossAttentionMaps(model, SHAPE);
    const layers = [...it.io.names()].filter((name) => name.startsWith("maps/"));
    assert.equal(layers.length, 7);
    assert.deepEqual(Object.keys(maps).sort(), layers.map((name) => name.slice(5)).sort());
    assert.deepEqual(maps[layers[0]!.slice(5)]!.shape, [2, 5, 13, 11]);
    const outputs = await runCase({ ...model, outputs: maps }, it, "13x11");
    for (const [name, map] of Object.entries(outputs)) {
      await assertGolden(map, it, `maps/${name}`);
    }
  });
}

Deno.test("crossAttentionMaps refuse sizes that the network was not built with", async () => {
  const it = await golden("unet_sd1");
  const model = unet(unetConfig(it.json, it.path), it.weights, SHAPE);
  assert.throws(() => crossAttentionMaps(model, { height: 12, width: 12 }), /143 pixels|35 pixels/);
});
