import assert from "node:assert/strict";
import { join } from "node:path";
import { StableDiffusion } from "../../mod.ts";
import {
  trainDreambooth,
  TrainingError,
  type TrainingEvent,
  trainLora,
  trainTextualInversion,
} from "../../training/mod.ts";
import { finished, inFolder, pictures } from "./run.ts";

const SEED = 7;
const SAMPLES = { steps: 2, sampleEvery: 1, seed: SEED, optimizer: "sgd" };

/** The samples of a run, by the number of updates before them. */
async function drawn(events: AsyncGenerator<TrainingEvent, void, void>) {
  const found = new Map<number, Uint8ClampedArray[]>();
  for await (const event of events) {
    if (event.kind !== "samples") continue;
    found.set(event.step, event.samples.map(({ image }) => image.data));
  }
  return found;
}

/** What a model draws for the run's seed. */
async function picture(
  prompt: string,
  model: string | undefined,
  options: { loras?: { path: string }[]; embeddings?: string[] } = {},
): Promise<Uint8ClampedArray> {
  await using sd = await StableDiffusion.open(model, options);
  return (await sd.generate({ prompt, seed: SEED })).data;
}

Deno.test("samples of a textual inversion are what the words before and after it draw", async () => {
  await inFolder(async (folder) => {
    const output = join(folder, "teal.safetensors"), images = pictures("teal");
    const word = { images, token: "<teal>", initWord: "green" };
    const samplePrompts = ["a <teal> seven on a black background"];
    const samples = await drawn(
      trainTextualInversion({ ...word, ...SAMPLES, output, rate: 30, samplePrompts }),
    );
    assert.deepEqual([...samples.keys()], [0, 1, 2]);
    const before = await picture("a green seven on a black background", undefined);
    assert.deepEqual(samples.get(0), [before]);
    const after = await picture(samplePrompts[0]!, undefined, { embeddings: [output] });
    assert.deepEqual(samples.get(2), [after]);
    assert.notDeepEqual(before, after);
  });
});

Deno.test("samples of a LoRA and of DreamBooth are what their results draw", async () => {
  await inFolder(async (folder) => {
    const common = { images: pictures("outline"), token: "outline", ...SAMPLES, rate: 0.05 };
    const prompt = "a outline green eight on a white background";
    const asked = { ...common, samplePrompts: [prompt] };
    const before = await picture(prompt, undefined);

    const lora = join(folder, "outline.safetensors");
    const adapted = await drawn(trainLora({ ...asked, sampleEvery: 2, rate: 5, output: lora }));
    assert.deepEqual(adapted.get(0), [before]);
    assert.deepEqual(adapted.get(2), [
      await picture(prompt, undefined, { loras: [{ path: lora }] }),
    ]);
    assert.notDeepEqual(adapted.get(2), [before]);
    assert.deepEqual([...Deno.readDirSync(folder)].filter(({ name }) => name.includes("tmp")), []);

    const model = join(folder, "model");
    const changed = await drawn(trainDreambooth({ ...asked, sampleEvery: 2, output: model }));
    assert.deepEqual([...changed.keys()], [0, 2]);
    assert.deepEqual(changed.get(0), [before]);
    assert.notDeepEqual(changed.get(2), [before]);
  });
});

Deno.test("samples show the first picture's prompt by default, and come when asked for", async () => {
  await inFolder(async (folder) => {
    const options = { images: pictures("outline"), output: join(folder, "x"), rank: 1, steps: 1 };
    assert.equal((await drawn(trainLora(options))).size, 0);
    const prompts: string[] = [];
    for await (const event of trainLora({ ...options, sampleEvery: 9 })) {
      if (event.kind === "samples") prompts.push(...event.samples.map(({ prompt }) => prompt));
    }
    assert.equal(prompts.length, 2);
    assert.match(prompts[0]!, /^an? \w+ \w+ on an? \w+ background$/);
    await assert.rejects(
      () => finished(trainLora({ ...options, sampleEvery: 0 })),
      (error) => error instanceof TrainingError && /sampleEvery must be/.test(error.message),
    );
  });
});
