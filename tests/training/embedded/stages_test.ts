import assert from "node:assert/strict";
import { join } from "node:path";
import { StableDiffusion } from "../../../pipeline/stable_diffusion.ts";
import {
  type EmbeddedOptions,
  STAGE_DEFAULTS,
  type StageName,
  trainEmbedded,
} from "../../../training/embedded/train_embedded.ts";
import { valuesOf } from "../../../training/embedded/workspace.ts";
import { openWeights } from "../../../weights/open_weights.ts";
import { inFolder } from "../run.ts";
import { prepare } from "./small_digits.ts";

const SHORT: EmbeddedOptions["stages"] = {
  pair: { steps: 6, batch: 16 },
  image: { steps: 2, batch: 16 },
  pieces: { steps: 12, batch: 4 },
  whole: { steps: 2, batch: 2 },
  decoder: { steps: 2, batch: 2 },
  latents: { steps: 1 },
  denoiser: { steps: 4, batch: 2 },
};

interface Losses {
  readonly stages: Map<string, number[]>;
  readonly saved: string | undefined;
}

/** Runs and gathers the losses of each stage; stops after `stopAfter` updates. */
async function run(options: EmbeddedOptions, stopAfter = Infinity): Promise<Losses> {
  const stages = new Map<string, number[]>();
  let stage = "", saved: string | undefined, updates = 0;
  for await (const event of trainEmbedded({ stages: SHORT, saveEvery: 4, ...options })) {
    if (event.kind === "stage") stage = event.name;
    if (event.kind === "saved") saved = event.path;
    if (event.kind !== "update") continue;
    stages.set(stage, [...stages.get(stage) ?? [], event.loss]);
    if (++updates >= stopAfter) break;
  }
  return { stages, saved };
}

Deno.test("trainEmbedded makes a model that can be opened and draws", async () => {
  await inFolder(async (folder) => {
    const output = join(folder, "digits");
    await prepare(output);
    const { stages, saved } = await run({ output, half: true, team: 1 });
    assert.equal(saved, output);
    for (const name of Object.keys(STAGE_DEFAULTS) as StageName[]) {
      if (name === "latents") continue;
      const losses = stages.get(name)!;
      assert.equal(losses.length, SHORT![name]!.steps, name);
    }
    for (const name of ["pair", "pieces"]) {
      const losses = stages.get(name)!;
      assert.ok(losses.at(-1)! < losses[0]!, `${name}: ${losses}`);
    }
    await using sd = await StableDiffusion.open(output, { variant: "fp16", threads: 1 });
    const image = await sd.generate({ prompt: "a red seven", steps: 2, seed: 1 });
    assert.deepEqual([image.width, image.height], [64, 64]);
    await assert.rejects(run({ output }), { name: "TrainingError", option: "output" });
  });
});

Deno.test("trainEmbedded goes on after an interruption with the same losses", async () => {
  await inFolder(async (folder) => {
    const whole = join(folder, "whole"), parts = join(folder, "parts");
    const only = ["pieces"] as const;
    await prepare(whole);
    await prepare(parts);
    const expected = await run({ output: whole, only });
    await run({ output: parts, only }, 6);
    await assert.rejects(run({ output: parts, only }), { name: "TrainingError", option: "resume" });
    const rest = await run({ output: parts, only, resume: true });
    assert.deepEqual(rest.stages.get("pieces"), expected.stages.get("pieces")!.slice(4));
  });
});

Deno.test("trainEmbedded repairs a model that was not written after its last checkpoint", async () => {
  await inFolder(async (folder) => {
    const output = join(folder, "digits"), only = ["pieces"] as const;
    const vae = `${output}.training/model/vae/diffusion_pytorch_model.safetensors`;
    await prepare(output);
    await run({ output, only }, 6);
    const afterFour = await Deno.readFile(vae);
    await run({ output, only, resume: true });
    const finished = await Deno.readFile(vae);
    assert.notDeepEqual(afterFour, finished);
    await Deno.writeFile(vae, afterFour); // as a kill between the two writes leaves it
    await run({ output, only, resume: true });
    assert.deepEqual(await Deno.readFile(vae), finished);
  });
});

Deno.test("trainEmbedded's decoder stage leaves the encoder and its latents as they are", async () => {
  await inFolder(async (folder) => {
    const output = join(folder, "digits");
    const vae = `${output}.training/model/vae/diffusion_pytorch_model.safetensors`;
    await prepare(output);
    await run({ output, only: ["whole"] });
    const before = await valuesOf(await openWeights(vae));
    await run({ output, only: ["decoder"], resume: true });
    const after = await valuesOf(await openWeights(vae));
    for (const [name, values] of after) {
      const encodes = name.startsWith("encoder.") || name.startsWith("quant_conv.");
      const same = values.every((value, i) => value === before.get(name)![i]);
      assert.equal(same, encodes, name);
    }
  });
});
