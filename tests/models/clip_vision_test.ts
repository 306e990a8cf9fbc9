import { strict as assert } from "node:assert";
import { clipVisionConfig } from "../../models/clip_config.ts";
import { clipVisionModel } from "../../models/clip_vision.ts";
import { golden } from "./golden.ts";
import { assertGolden, runCase } from "./run_golden.ts";

Deno.test("clipVisionModel gives the embedding of a picture and the state before the last layer", async () => {
  const it = await golden("vision");
  const config = clipVisionConfig(it.json, it.path);
  const model = clipVisionModel(config, it.weights, { batch: 2 }, { penultimate: true });
  assert.deepEqual(model.unexpected, []);
  const outputs = await runCase(model, it, "image");
  await assertGolden(outputs.image_embeds, it, "image/image_embeds");
  await assertGolden(outputs.penultimate, it, "image/penultimate");
});
