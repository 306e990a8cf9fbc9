import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { OptionError, StableDiffusion } from "../../mod.ts";

const REFERENCE = fileURLToPath(new URL("../golden/reference/", import.meta.url));
const MODEL = join(REFERENCE, "models/sd1"), LORAS = join(REFERENCE, "lora");
const OPTIONS = { seed: 5, steps: 2, width: 64, height: 64, scheduler: "ddim" } as const;
const PROMPT = "a fox in the snow";

Deno.test("generate() merges the LoRAs that a prompt names, as open() would", async () => {
  const path = join(LORAS, "kohya.safetensors");
  await using merged = await StableDiffusion.open(MODEL, { loras: [{ path, weight: 0.6 }] });
  await using sd = await StableDiffusion.open(MODEL, { loraFolder: LORAS });
  const draw = async (prompt: string) => (await sd.generate({ ...OPTIONS, prompt })).data;
  const plain = await draw(PROMPT), styled = await draw(`${PROMPT}<lora:kohya:0.6>`);
  assert.deepEqual(styled, (await merged.generate({ ...OPTIONS, prompt: PROMPT })).data);
  assert.notDeepEqual(styled, plain);
  assert.deepEqual(await draw(`${PROMPT}<lora:kohya:0>`), plain);
  // What is merged for one prompt is gone from the next.
  assert.deepEqual(await draw(PROMPT), plain);
});

Deno.test("encode() reads weights and chunks, and refuses what changes on the way", async () => {
  await using sd = await StableDiffusion.open(MODEL, { threads: 1 });
  const [plain, weighted] = [await sd.encode(PROMPT), await sd.encode("a (fox:1.3) in the snow")];
  assert.deepEqual([plain.tokens, weighted.tokens], [77, 77]);
  const mean = (values: Float32Array) => values.reduce((a, b) => a + b) / values.length;
  assert.ok(Math.abs(mean(plain.hiddenStates) - mean(weighted.hiddenStates)) < 1e-6);
  assert.notDeepEqual(plain.hiddenStates, weighted.hiddenStates);
  const long = "snow, ".repeat(60);
  assert.equal((await sd.encode(long)).tokens, 3 * 77);
  assert.equal((await sd.encode(long, { longPrompt: "truncate" })).tokens, 77);
  await assert.rejects(sd.encode("[a:b:0.5]"), OptionError);
  await assert.rejects(sd.encode("a AND b"), OptionError);
  await assert.rejects(sd.encode("a <lora:kohya:1>"), OptionError);
  assert.equal((await sd.encode("[a:b:0.5]", { promptSyntax: "plain" })).tokens, 77);
});

Deno.test("tokens() gives every token its weight, window and place, and says what is cut off", async () => {
  await using sd = await StableDiffusion.open(MODEL, { threads: 1 });
  const short = sd.tokens("a (fox:1.5) BREAK snow AND [rain]");
  assert.equal(new Set(short.filter(({ weight }) => weight === 1.5).map((t) => t.window)).size, 1);
  assert.deepEqual([...new Set(short.map(({ prompt, window }) => `${prompt}.${window}`))], [
    "0.0",
    "0.1",
    "1.0",
  ]);
  const long = sd.tokens("snow, ".repeat(60), { longPrompt: "truncate" });
  assert.equal(long.filter(({ isCut }) => !isCut).length, 75);
  assert.ok(long.slice(75).every(({ isCut }) => isCut));
  const cut = sd.cutOff(sd.settings({ prompt: "snow, ".repeat(60), longPrompt: "truncate" }));
  assert.match(cut, /snow/);
  assert.equal(sd.cutOff(sd.settings({ prompt: "snow" })), "");
});
