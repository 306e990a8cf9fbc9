import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { openRuntime } from "../../ffi/runtime.ts";
import { type Frame, interpolate } from "../../pipeline/interpolate.ts";
import { StableDiffusion } from "../../pipeline/stable_diffusion.ts";
import { RECIPE_KEYWORD } from "../../pipeline/walk.ts";

const MODEL = fileURLToPath(new URL("../golden/reference/models/sd1", import.meta.url));
const SMALL = { width: 64, height: 64, steps: 2, scheduler: "DDIM" };

openRuntime(); // stays loaded: no leak of the test that happens to come first

Deno.test("interpolate() yields pictures with their place on the way, from one end to the other", async () => {
  await using sd = await StableDiffusion.open(MODEL);
  const frames: Frame[] = [];
  const walk = { ...SMALL, from: "a hill", to: "a sea", seed: 1, toSeed: 2, frames: 3 };
  for await (const frame of interpolate(sd, walk)) frames.push(frame);
  assert.deepEqual(frames.map(({ index, t }) => [index, t]), [[0, 0], [1, 0.5], [2, 1]]);
  const first = await sd.generate({ ...SMALL, prompt: "a hill", seed: 1 });
  const last = await sd.generate({ ...SMALL, prompt: "a sea", seed: 2 });
  assert.deepEqual([frames[0]!.data, frames[2]!.data], [first.data, last.data]);
  assert.notDeepEqual(frames[1]!.data, first.data);
  assert.equal(JSON.parse(frames[1]!.text[RECIPE_KEYWORD]!).steps, 2);
  assert.match(frames[1]!.text.parameters!, /^a hill → a sea, 50\.0 %\n/);
});

Deno.test("interpolate() draws a frame when it is asked for, and stops at a break and at a signal", async () => {
  await using sd = await StableDiffusion.open(MODEL);
  const controller = new AbortController();
  const walk = { ...SMALL, from: "a hill", to: "a sea", seed: 1, frames: 1e6 };
  for await (const frame of interpolate(sd, walk)) {
    if (frame.index === 1) break;
  }
  const frames = interpolate(sd, { ...walk, signal: controller.signal });
  assert.equal((await frames.next()).value?.index, 0);
  controller.abort(new Error("enough"));
  await assert.rejects(frames.next(), /enough/);
});
