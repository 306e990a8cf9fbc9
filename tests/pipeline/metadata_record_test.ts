import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { Image } from "../../pipeline/image.ts";
import { readMetadata } from "../../pipeline/metadata.ts";
import { fileSha256 } from "../../pipeline/metadata_hash.ts";
import { optionsFromMetadata } from "../../pipeline/metadata_options.ts";
import { type PictureFacts, pictureTexts, recordText } from "../../pipeline/metadata_record.ts";
import { DEFAULTS } from "../../pipeline/options.ts";
import { parametersText } from "../../pipeline/parameters_text.ts";
import type { Settings } from "../../pipeline/settings.ts";
import { schedulerFromConfig, type SchedulerOverrides } from "../../schedulers/scheduler.ts";

const FACTS: PictureFacts = {
  model: {
    path: "/models/dream.safetensors",
    weights: [{ file: "/models/dream.safetensors", sha256: "0123456789abcdef".repeat(4) }],
  },
  versions: { latent: "0.1.0", onnxruntime: "1.22.0" },
  providers: ["cuda", "cpu"],
};

function settingsOf(changes: Partial<Settings> = {}): Settings {
  return {
    ...DEFAULTS,
    prompt: "a fox",
    seed: 42,
    steps: 20,
    width: 512,
    height: 768,
    scheduler: "EulerAncestralDiscreteScheduler",
    schedulerOptions: {},
    ...changes,
  };
}

/** Prompts that A1111's text can hold, and some that it cannot. */
const PROMPTS = [
  "",
  "a, b; c: d",
  'say "hi", \\ and "Steps: 3, '.trimEnd(),
  "Steps: 3, Sampler: x, Seed: 1, Size: 1x1",
  "two\nlines\n\nand a gap",
  "東京 🌅 naïve \u0301 \u200b|",
  "<lora:x:1> (a:1.2) [b|c] {d}",
  "Negative prompt: none",
  "a\nNegative prompt: inside\nb",
  " spaces around ",
  "ends in a line\n",
  "\r\n\ttabs",
  '{"json": true}',
];

/** Texts drawn from what trips parsers, the same in every run. */
function* drawnPrompts(count: number): Generator<string> {
  const parts = [..."\n,:\"\\ 'é東🌅", "Steps: 3, ", "Negative prompt:", "Size: 1x1", "word", "\r"];
  let state = 7;
  const draw = (most: number) => (state = (state * 48271) % 2147483647) % most;
  for (let i = 0; i < count; i++) {
    yield Array.from({ length: draw(12) }, () => parts[draw(parts.length)]).join("");
  }
}

/** Writes a picture's file and reads it back. */
async function through(texts: Record<string, string>): Promise<Image> {
  const image = new Image(1, 1, new Uint8ClampedArray(3));
  Object.assign(image.text, texts);
  return await Image.load(await image.encode());
}

Deno.test("pictureTexts then readMetadata gives the very options back, for any prompt", async () => {
  for (const prompt of [...PROMPTS, ...drawnPrompts(300)]) {
    const settings = settingsOf({ prompt, negativePrompt: `${prompt} not` });
    const texts = pictureTexts(settings, FACTS);
    const meta = readMetadata(prompt.length < 40 ? await through(texts) : texts)!;
    assert.deepEqual(optionsFromMetadata(meta), settings, JSON.stringify(prompt));
    assert.equal(meta.source, "latent");
    assert.deepEqual(meta.warnings, []);
  }
});

Deno.test("parametersText alone gives back every prompt that A1111's form can hold", () => {
  for (const prompt of [...PROMPTS, ...drawnPrompts(300)]) {
    const lines = prompt.split("\n");
    const canHold = lines.every((line) => line.trim() === line) && prompt.trim() === prompt &&
      !lines.some((line) => line.startsWith("Negative prompt:"));
    if (!canHold) continue;
    const settings = settingsOf({ prompt, negativePrompt: prompt === "" ? "x" : prompt });
    const meta = readMetadata({ parameters: parametersText(settings, FACTS) })!;
    assert.equal(meta.prompt, prompt);
    assert.equal(meta.negativePrompt, settings.negativePrompt);
    assert.deepEqual([meta.seed, meta.steps, meta.width, meta.height], [42, 20, 512, 768]);
  }
});

Deno.test("recordText keeps what JSON has no form for: large seeds, infinities", () => {
  const settings = settingsOf({
    seed: 2n ** 64n - 1n,
    sigmas: [14.6, 0.1, 0],
    guidanceInterval: [0.1, 0.8],
    schedulerOptions: { lambdaMinClipped: -Infinity, sigmaMax: 14.614643096923828, eta: 0 },
  });
  const meta = readMetadata({ latent: recordText(settings, FACTS) })!;
  assert.deepEqual(optionsFromMetadata(meta), settings);
  assert.equal(meta.seed, 18446744073709551615n);
  assert.deepEqual(meta.record?.versions, FACTS.versions);
  assert.deepEqual(meta.record?.model, FACTS.model);
});

Deno.test("recordText keeps the scheduler with all its options decided", () => {
  const config = { _class_name: "DPMSolverMultistepScheduler", beta_schedule: "scaled_linear" };
  const { name, settings } = schedulerFromConfig(config, { sigmaSchedule: "karras" });
  const text = recordText(settingsOf(), { ...FACTS, scheduler: { name, settings } });
  const meta = readMetadata({ latent: text })!;
  assert.deepEqual(meta.record?.scheduler, { name, settings });
  assert.equal(meta.sigmaSchedule, "karras");
});

Deno.test("recordText names pictures that went in, and options that it cannot store", () => {
  const image = new Image(2, 2, Uint8ClampedArray.from({ length: 12 }, (_, i) => i));
  const settings = settingsOf({
    image,
    strength: 0.5,
    noise: new Float32Array(3),
    signal: AbortSignal.timeout(1),
  });
  const meta = readMetadata({ latent: recordText(settings, FACTS) })!;
  const sha256 = createHash("sha256").update(Uint8Array.from(image.data)).digest("hex");
  assert.deepEqual(meta.record?.pictures, { image: { width: 2, height: 2, sha256 } });
  assert.deepEqual(meta.record?.omitted, ["noise"]);
  assert.match(meta.warnings[0]!, /a picture as "image" \(2 x 2.*give it again/);
  assert.match(meta.warnings[1]!, /"noise", which is not stored/);
  const again = optionsFromMetadata(meta);
  assert.ok(!("image" in again) && !("strength" in again) && !("noise" in again));
  const other = optionsFromMetadata(meta, { image, steps: 3 });
  assert.deepEqual([other.strength, other.image, other.steps], [0.5, image, 3]);
});

Deno.test("readMetadata falls to the next text, and says so, where the record is unusable", () => {
  const parameters = parametersText(settingsOf(), FACTS);
  for (const latent of ["{", "[]", '{"format": 1}', '{"format":2,"settings":{},"model":{}}']) {
    const meta = readMetadata({ parameters, latent })!;
    assert.equal(meta.prompt, "a fox");
    assert.match(meta.warnings[0]!, /^the text "latent" cannot be used: /);
  }
});

Deno.test("parametersText writes A1111's names, order and quotes", () => {
  const settings = settingsOf({
    negativePrompt: "blurry",
    clipSkip: 1,
    scheduler: "DPMSolverMultistepScheduler",
    schedulerOptions: { sigmaSchedule: "karras", algorithmType: "sde-dpmsolver++" },
  });
  assert.equal(
    parametersText(settings, { ...FACTS, model: { ...FACTS.model, path: "/m/a, b.safetensors" } }),
    "a fox\nNegative prompt: blurry\nSteps: 20, Sampler: DPM++ 2M SDE, Schedule type: Karras, " +
      'CFG scale: 7.5, Seed: 42, Size: 512x768, Model hash: 0123456789, Model: "a, b", ' +
      "Clip skip: 2, RNG: CPU, Version: latent 0.1.0",
  );
});

Deno.test("parametersText names every scheduler so that it is found again", () => {
  const cases: [string, SchedulerOverrides][] = [
    ...["euler", "euler_a", "heun", "lms", "dpm2", "dpm2_a", "ddim", "plms", "unipc", "lcm"],
    ...["dpmpp_2m", "dpmpp_2m_sde", "dpmpp_2m_sde_heun", "dpmpp_3m", "dpmpp_sde", "dpmpp_2s_a"],
    ...["dpmpp_3m_sde", "restart", "dpm_adaptive", "ddpm", "deis", "tcd", "dpmpp_2s", "ipndm"],
  ].map((scheduler) => [scheduler, { scheduler }]);
  for (const [asked, overrides] of cases) {
    const { name, settings } = schedulerFromConfig({}, overrides);
    const facts = { ...FACTS, scheduler: { name, settings } };
    const meta = readMetadata({ parameters: parametersText(settingsOf(), facts) })!;
    assert.deepEqual(meta.warnings, [], asked);
    const again = optionsFromMetadata(meta);
    const { name: found, settings: options } = schedulerFromConfig({}, {
      scheduler: again.scheduler as string,
      ...again.schedulerOptions,
    });
    assert.equal(found, name, asked);
    assert.deepEqual(
      [options.algorithmType, options.solverOrder, options.solverType],
      [settings.algorithmType, settings.solverOrder, settings.solverType],
      asked,
    );
  }
});

Deno.test("fileSha256 hashes a file anew only when it has changed", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = join(folder, "weights.bin");
    const bytes = new Uint8Array(5_000_000).map((_, i) => i);
    const want = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");
    await Deno.writeFile(path, bytes);
    await Deno.utime(path, 1000, 1000);
    const told: number[] = [];
    assert.equal(await fileSha256(path, (count) => told.push(count)), want(bytes));
    assert.equal(told.reduce((a, b) => a + b), bytes.length);
    const changed = bytes.with(0, 9);
    await Deno.writeFile(path, changed);
    await Deno.utime(path, 1000, 1000);
    assert.equal(await fileSha256(path), want(bytes), "same size and time: taken as unchanged");
    await Deno.utime(path, 1000, 1001);
    assert.equal(await fileSha256(path), want(changed));
    await assert.rejects(fileSha256(join(folder, "missing")), Deno.errors.NotFound);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
