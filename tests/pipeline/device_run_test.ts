import assert from "node:assert/strict";
import {
  cpu,
  cuda,
  type GenerateOptions,
  type Image,
  type Solver,
  StableDiffusion,
  type Step,
} from "../../mod.ts";
import { tensorOf } from "../../pipeline/latents_on_device.ts";

const PROMPT = "a red seven on a blue background";

/** Both ways to draw, on the processor. */
async function both() {
  const host = await StableDiffusion.open();
  const device = await StableDiffusion.open(undefined, { deviceLoop: true });
  return {
    host,
    device,
    async [Symbol.asyncDispose]() {
      await host[Symbol.asyncDispose]();
      await device[Symbol.asyncDispose]();
    },
  };
}

/** Largest difference of two arrays, relative to the second's largest value. */
function difference(a: Float32Array, b: Float32Array): number {
  const largest = Math.max(...b.map(Math.abs));
  return Math.max(...a.map((x, i) => Math.abs(x - b[i]!))) / largest;
}

async function stepsOf(sd: StableDiffusion, options: GenerateOptions) {
  const steps: Step[] = [];
  for await (const step of sd.denoise(options)) steps.push(step);
  return steps;
}

Deno.test("the loop on the device computes the steps of the loop on the processor", async () => {
  await using sds = await both();
  const cases: Record<string, Partial<GenerateOptions>> = {
    "the model's own": {},
    "two calls a step": { scheduler: "heun" },
    "a corrector": { scheduler: "UniPCMultistepScheduler" },
    "fresh noise": { scheduler: "euler_a" },
    "a Brownian path": { scheduler: "DPM++ 2M SDE" },
    "noise before the call": {
      scheduler: "EulerDiscreteScheduler",
      schedulerOptions: { sChurn: 0.5 },
    },
    "no guidance": { guidanceScale: 1 },
    "prompts that change": { prompt: "a [red:green:0.5] seven" },
    "another size": { width: 96, height: 64 },
  };
  for (const [name, own] of Object.entries(cases)) {
    const options = { prompt: PROMPT, seed: 3, steps: 4, ...own };
    const expected = await stepsOf(sds.host, options);
    const got = await stepsOf(sds.device, options);
    assert.deepEqual(got.map(({ timestep }) => timestep), expected.map((each) => each.timestep));
    for (const [i, step] of got.entries()) {
      const error = difference(step.latents.data, expected[i]!.latents.data);
      assert.ok(error < 1e-4, `${name}, step ${i}: latents differ by ${error}`);
      const clean = difference(step.denoised.data, expected[i]!.denoised.data);
      assert.ok(clean < 1e-4, `${name}, step ${i}: clean estimates differ by ${clean}`);
    }
  }
});

Deno.test("the loop on the device begins in a picture, and draws again", async () => {
  await using sds = await both();
  const image = await sds.host.generate({ prompt: "a green three", seed: 1, steps: 8 });
  const options = { prompt: "a green eight", image, strength: 0.6, seed: 2, steps: 10 };
  const expected = await sds.host.generate(options);
  for (let i = 0; i < 2; i++) {
    const got = await sds.device.generate(options);
    const apart = got.data.map((x, k) => Math.abs(x - expected.data[k]!));
    assert.ok(Math.max(...apart) <= 1, `run ${i}: pixels differ by ${Math.max(...apart)}`);
  }
});

Deno.test("what the device cannot do by itself is done step by step, with the same result", async () => {
  await using sds = await both();
  const options = { prompt: PROMPT, seed: 3, steps: 4 };
  const others: Partial<GenerateOptions>[] = [
    { guidanceRescale: 0.7 },
    { guidance: "apg" },
    { prompt: `${PROMPT} AND a green eight` },
    { scheduler: "Adam" },
  ];
  for (const own of others) {
    const expected = await sds.host.generate({ ...options, ...own });
    const got = await sds.device.generate({ ...options, ...own });
    assert.deepEqual(got.data, expected.data, JSON.stringify(own));
  }
});

Deno.test("two runs at once on one device do not disturb each other", async () => {
  await using sds = await both();
  const seeds = [1, 2];
  const draw = (sd: StableDiffusion, seed: number) =>
    sd.generate({ prompt: PROMPT, seed, steps: 4 });
  const expected: Image[] = [];
  for (const seed of seeds) expected.push(await draw(sds.host, seed));
  const got = await Promise.all(seeds.map((seed) => draw(sds.device, seed)));
  for (const [i, image] of got.entries()) {
    const apart = image.data.map((x, k) => Math.abs(x - expected[i]!.data[k]!));
    assert.ok(Math.max(...apart) <= 1, `seed ${seeds[i]}`);
  }
});

Deno.test("a step that the device has gone on from cannot be read", async () => {
  await using sd = await StableDiffusion.open(undefined, { deviceLoop: true });
  const steps: Step[] = [];
  for await (const step of sd.denoise({ prompt: PROMPT, seed: 1, steps: 3 }, { lazy: true })) {
    steps.push(step);
  }
  assert.throws(() => steps[0]!.latents, /Cannot read step 1: the device has gone on/);
  assert.equal(steps.at(-1)!.latents.data.length, 4 * 16 * 16);
});

Deno.test("the loop on the device stops within a step", async () => {
  await using sd = await StableDiffusion.open(undefined, { deviceLoop: true });
  const controller = new AbortController();
  const run = (async () => {
    for await (const step of sd.denoise({ prompt: PROMPT, steps: 50, signal: controller.signal })) {
      if (step.index === 1) controller.abort(new Error("enough"));
      assert.ok(step.index < 3);
    }
  })();
  await assert.rejects(run, /enough/);
  assert.ok(await sd.generate({ prompt: PROMPT, seed: 1, steps: 2 }), "it can draw again");
});

Deno.test("the loop runs where the first provider that works is", async () => {
  const warnings: string[] = [];
  const onWarning = (message: string) => void warnings.push(message);
  await using sd = await StableDiffusion.open(undefined, { providers: [cuda(), cpu()], onWarning });
  await using host = await StableDiffusion.open();
  const options = { prompt: PROMPT, seed: 1, steps: 2 };
  const [got, expected] = [await sd.generate(options), await host.generate(options)];
  const apart = got.data.map((x, k) => Math.abs(x - expected.data[k]!));
  assert.ok(Math.max(...apart) <= 1);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0]!, /CUDAExecutionProvider/);
});

Deno.test("what the device has drawn is decoded there, and nothing comes here before", async () => {
  await using sds = await both();
  const options = { prompt: PROMPT, seed: 3, steps: 4 };
  const expected = await sds.host.generate(options);
  let last: Step | undefined;
  for await (const step of sds.device.denoise(options, { lazy: true })) last = step;
  const { latents } = last!;
  assert.ok(tensorOf(latents), "the latents are on the device");
  const copies: Float32Array[] = [];
  const data = Object.getOwnPropertyDescriptor(latents, "data")!.get!;
  Object.defineProperty(latents, "data", {
    get: () => copies[copies.push(data.call(latents)) - 1],
  });
  // Another run of the same loop, of another size even, leaves them as they are.
  await sds.device.generate({ ...options, seed: 4 });
  await sds.device.generate({ ...options, seed: 4, width: 96 });
  const apart = (image: Image) =>
    Math.max(...image.data.map((x, i) => Math.abs(x - expected.data[i]!)));
  assert.ok(apart(await sds.device.decode(latents)) <= 1);
  assert.equal(copies.length, 0);
  assert.ok(apart(await sds.host.decode({ ...latents })) <= 1);
  assert.equal(copies.length, 1);
});

Deno.test("a step that is no number is said to be one, wherever it is found", async () => {
  await using sd = await StableDiffusion.open(undefined, { deviceLoop: true });
  const broken: Solver = {
    name: "broken",
    basis: "epsilon",
    calls: (levels) =>
      levels.slice(0, -1).map((level, i) => ({
        level,
        next: { start: 1, results: [1e38 * (i + 1)] },
        advance: true,
      })),
  };
  const options = { prompt: PROMPT, seed: 1, steps: 3, scheduler: broken };
  await assert.rejects(() => stepsOf(sd, options), /the new sample is/);
  await assert.rejects(() => sd.generate(options), /the new sample is/);
});
