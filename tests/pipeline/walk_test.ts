import assert from "node:assert/strict";
import { Image } from "../../pipeline/image.ts";
import { DEFAULTS, type GenerateOptions, OptionError } from "../../pipeline/options.ts";
import type { Settings } from "../../pipeline/settings.ts";
import { Walk, type Walker } from "../../pipeline/walk.ts";
import type { InterpolateOptions } from "../../pipeline/walk_options.ts";

/** A pipeline whose prompts encode to their length, and whose noise is the seed on its own axis. */
const PIPELINE: Walker = {
  settings: (options: GenerateOptions) => ({
    ...DEFAULTS,
    ...{ seed: 1, width: 8, height: 8, scheduler: "DDIM", schedulerOptions: {} },
    ...options,
  }),
  encode: (text: string) =>
    Promise.resolve({
      hiddenStates: Float32Array.of(text.length),
      ...{ tokens: 1, width: 1, truncated: "" },
    }),
  startingNoise: ({ seed }: Settings) => {
    const data = new Float32Array(10);
    data[Number(seed)] = 1;
    return { data, channels: 1, height: 2, width: 5 };
  },
};

const red = new Image(1, 1, Uint8ClampedArray.of(255, 0, 0));
const undrawn = () => Promise.reject(new Error("drawn while preparing"));
const walk = (options: InterpolateOptions) => Walk.open(PIPELINE, options, undrawn);
const refuses = (options: InterpolateOptions, error: new (...a: never[]) => Error, text: RegExp) =>
  assert.rejects(walk(options), (e) => e instanceof error && text.test(e.message));

/** What every frame is drawn from: encoded prompt, noise of seeds 1 to 3, guidance scale. */
async function framesOf(options: InterpolateOptions) {
  const frames = await walk(options);
  return await Promise.all(Array.from({ length: frames.frames }, async (_, index) => {
    const { settings } = await frames.frame(index);
    const [, ...noise] = [...settings.noise!.subarray(0, 4)].map((x) => Math.round(x * 1e4) / 1e4);
    return [settings.conditioning!.hiddenStates[0], ...noise, settings.guidanceScale];
  }));
}

Deno.test("Walk mixes prompts linearly and noise spherically, and keeps everything else", async () => {
  const options = { from: "ab", to: "abcdef", seed: 1, toSeed: 2, frames: 3, steps: 7 };
  assert.deepEqual(await framesOf(options), [
    [2, 1, 0, 0, 7.5],
    [4, 0.7071, 0.7071, 0, 7.5],
    [6, 0, 1, 0, 7.5],
  ]);
  const { settings } = await (await walk({ ...options, negativePrompt: "x" })).frame(1);
  assert.deepEqual([settings.steps, settings.negativePrompt], [7, "x"]);
});

Deno.test("Walk passes every prompt, seed and guidance scale, and closes a loop", async () => {
  const options = {
    prompts: ["", "ab", "abcd", "ab"],
    seeds: [1, 3],
    guidanceScale: [2, 6],
    ...{ frames: 4, loop: true },
  };
  assert.deepEqual(await framesOf(options), [
    [0, 1, 0, 0, 2],
    [2, 0.7071, 0, 0.7071, 4],
    [4, 0, 0, 1, 6],
    [2, 0.7071, 0, 0.7071, 4],
  ]);
});

Deno.test("Walk draws its pilots only where perceptual spacing asks for them", async () => {
  let pilots = 0;
  const draw = ({ conditioning }: Settings) => {
    pilots++; // black up to the middle, then ever brighter
    const value = Math.max(0, conditioning!.hiddenStates[0]! - 5) * 50;
    return Promise.resolve(new Image(1, 1, new Uint8ClampedArray(3).fill(value)));
  };
  const options = {
    from: "",
    to: "0123456789",
    seed: 1,
    frames: 3,
    spacing: "perceptual",
  } as const;
  const frames = await Walk.open(PIPELINE, { ...options, pilots: 5 }, draw);
  assert.equal(pilots, 5);
  const { t } = await frames.frame(1);
  assert.ok(t > 0.7 && t < 0.8, String(t));
});

Deno.test("Walk with feedback begins each frame in the one before, with seeds that go on", async () => {
  const frames = await walk({ from: "a", to: "b", seed: 5, frames: 3, feedback: 0.4 });
  const first = await frames.frame(0), second = await frames.frame(1, red);
  assert.equal(first.settings.image, undefined);
  const { image, strength, seed, noise } = second.settings;
  assert.deepEqual([image, strength, seed, noise], [red, 0.4, 6n, undefined]);
  await assert.rejects(frames.frame(2), TypeError);
});

Deno.test("Walk gives one recipe to equal frames, and another for whatever changes", async () => {
  const recipe = async (changes: Partial<InterpolateOptions> = {}, index = 1) => {
    const options = { from: "a", to: "b", seed: 1n, toSeed: 2, frames: 3, ...changes };
    return (await (await walk(options)).frame(index)).recipe;
  };
  const same = await recipe();
  assert.equal(await recipe({ signal: AbortSignal.timeout(1e6) }), same);
  assert.equal(await recipe({ frames: 5 }, 2), same, "the same place on a longer walk");
  const changes: Partial<InterpolateOptions>[] = [
    ...[{ from: "c" }, { toSeed: 3 }, { steps: 3 }, { guidanceScale: [1, 2] }],
    ...[{ noiseMixing: "linear" as const }, { controls: [{ image: red, scale: 1 }] }],
    { controls: [{ image: new Image(1, 1, Uint8ClampedArray.of(0, 0, 0)), scale: 1 }] },
  ];
  const recipes = await Promise.all(changes.map((change) => recipe(change)));
  assert.equal(new Set([same, ...recipes]).size, changes.length + 1);
});

Deno.test("Walk refuses what it cannot draw, before anything is drawn", async () => {
  await refuses({}, TypeError, /no from/);
  await refuses({ from: "a", prompts: ["b"] }, TypeError, /both prompts and from/);
  await refuses({ from: "a", frames: 0 }, OptionError, /frames .* at least 1; got 0/);
  await refuses({ from: "a", easing: "bouncy" as "in" }, OptionError, /linear, smooth, in, out/);
  await refuses({ from: "a", guidanceScale: [] }, OptionError, /empty list/);
  await refuses({ from: "a", feedback: 2 }, OptionError, /feedback/);
  await refuses({ from: "a", feedback: 0.5, seeds: [1, 2] }, OptionError, /between seeds/);
  await refuses({ from: "a", feedback: 0.5, spacing: "perceptual" }, OptionError, /perceptual/);
  await refuses({ from: "a <lora:x:1>" }, OptionError, /a LoRA in a prompt/);
});
