import assert from "node:assert/strict";
import { OptionError, StableDiffusion } from "../../mod.ts";
import { checkMemory } from "../../pipeline/memory_limit.ts";
import { openModel } from "../../pipeline/open_model.ts";

Deno.test("what cannot be drawn is refused by the settings, in one line", async () => {
  await using sd = await StableDiffusion.open();
  const refused = (options: Parameters<typeof sd.settings>[0], why: RegExp) =>
    assert.throws(() => sd.settings(options), (error: Error) => {
      assert.ok(error instanceof OptionError);
      assert.match(error.message, why);
      return !error.message.includes("\n");
    });
  const prompt = "a red seven";
  refused({ prompt, width: 4_000_000, height: 65536 }, /U-Net alone would take more than \d+ GB/);
  refused({ prompt, clipSkip: 4 }, /text encoder has 4 layers; got a clip skip of 4/);
  refused({ prompt, wildcards: "/nowhere/at/all" }, /\/nowhere\/at\/all is no folder/);
  assert.equal(sd.settings({ prompt, clipSkip: 3 }).clipSkip, 3);
});

Deno.test("checkMemory counts the finest level of the U-Net", async () => {
  const parts = await openModel(undefined);
  // 2 arrays of 64 channels of float32, at a quarter of each side.
  const bytes = 2 * 64 * 4 * 256 * 256, size = { width: 1024, height: 1024 };
  checkMemory(parts, size, bytes);
  assert.throws(() => checkMemory(parts, size, bytes - 1), /1024 x 1024 pixels/);
});
