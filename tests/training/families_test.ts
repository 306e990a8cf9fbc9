import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openCheckpoint } from "../../models/checkpoint.ts";
import { StableDiffusion } from "../../mod.ts";
import { openModel } from "../../pipeline/open_model.ts";
import {
  trainDreambooth,
  TrainingError,
  trainLora,
  trainTextualInversion,
} from "../../training/mod.ts";
import { ModelFormatError } from "../../weights/model_format_error.ts";
import { read } from "../../weights/read.ts";
import { openSafetensors } from "../../weights/safetensors.ts";
import { type TensorSource, tensorSource } from "../../weights/stored_tensor.ts";
import { fileOf, namesOf } from "../models/checkpoint_file.ts";
import { finished, inFolder, pictures } from "./run.ts";
import { joined, tinyModels } from "./tiny_models.ts";

const SD1 = fileURLToPath(new URL("../golden/reference/models/sd1", import.meta.url));
const WORD = { images: pictures("teal"), token: "<teal>", initWord: "green" };
const ONE_STEP = { steps: 1, optimizer: "sgd", rate: 1 };

/** Names of the tensors whose bytes differ. */
async function changed(before: TensorSource, after: TensorSource): Promise<string[]> {
  const names: string[] = [];
  for (const name of before.names()) {
    const [old, fresh] = await Promise.all([before, after].map((s) => read(s.get(name)!)));
    if (!old!.every((byte, i) => byte === fresh![i])) names.push(name);
  }
  return names;
}

Deno.test("SDXL: a word is a pair of vectors, a LoRA is of both encoders; neither fits SD 1, nor theirs SDXL", async () => {
  await inFolder(async (folder) => {
    const { sd, xl } = await tinyModels(folder);
    const words: Record<string, string> = {}, loras: Record<string, string> = {};
    for (const [name, model] of Object.entries({ sd, xl })) {
      words[name] = join(folder, `${name}-word.safetensors`);
      await finished(trainTextualInversion({ ...WORD, ...ONE_STEP, model, output: words[name] }));
      loras[name] = join(folder, `${name}-lora.safetensors`);
      const options = { images: pictures("outline"), token: "outline", rank: 2, textEncoder: true };
      await finished(trainLora({ ...options, ...ONE_STEP, model, output: loras[name] }));
    }

    const pair = await openSafetensors(words.xl!);
    assert.deepEqual([...pair.names()].sort(), ["clip_g", "clip_l"]);
    const keys = [...(await openSafetensors(loras.xl!)).names()];
    for (const prefix of ["lora_unet_", "lora_te1_", "lora_te2_"]) {
      assert.ok(keys.some((key) => key.startsWith(prefix)), prefix);
    }
    const open = async (model: string, embedding: string, lora: string) => {
      const options = { embeddings: [embedding], loras: [{ path: lora }] };
      await using sd = await StableDiffusion.open(model, options);
      const read = sd.tokens("a <teal> seven").map(({ text }) => text);
      assert.ok(read.includes("<teal>"), `read as ${read}`);
      await sd.encode("a <teal> seven");
    };
    await open(xl, words.xl!, loras.xl!);
    await open(sd, words.sd!, loras.sd!);
    const misfit = (model: string, word: string | undefined, lora: string | undefined) =>
      assert.rejects(
        () =>
          StableDiffusion.open(model, {
            embeddings: word ? [word] : [],
            loras: lora ? [{ path: lora }] : [],
          }),
        (error) => error instanceof ModelFormatError && /family/.test(error.message),
      );
    await misfit(sd, undefined, loras.xl);
    await misfit(xl, undefined, loras.sd);

    // A run goes on with the model that it began with.
    const resumed = { ...WORD, ...ONE_STEP, output: words.xl!, resume: true, steps: 2 };
    await assert.rejects(
      () => finished(trainTextualInversion({ ...resumed, model: sd })),
      (error) => error instanceof TrainingError && /other options; got model/.test(error.message),
    );
    await finished(trainTextualInversion({ ...resumed, model: xl }));
  });
});

Deno.test("trainDreambooth of a single file writes a single file, under the same names", async () => {
  await inFolder(async (folder) => {
    const model = join(folder, "model.safetensors"), output = join(folder, "new.safetensors");
    const file = fileOf((await namesOf("sd15")).single_file), keys = [...file.names()];
    // A tensor's place tells which one of the file it is.
    const placed = keys.map((name, offset) => ({
      ...file.get(name)!,
      location: { file: "/model.safetensors", offset, byteLength: 1 },
    }));
    const names = await openCheckpoint(tensorSource("model.safetensors", placed));
    const ldm = (part: TensorSource | undefined) => (name: string) => {
      const { location } = (part!.get(name) ?? part!.get(`text_model.${name}`))!;
      return keys[(location as { offset: number }).offset]!;
    };
    await joined(model, [
      [join(SD1, "unet/diffusion_pytorch_model.safetensors"), ldm(names.unet)],
      [join(SD1, "vae/diffusion_pytorch_model.safetensors"), ldm(names.vae)],
      [join(SD1, "text_encoder/model.safetensors"), ldm(names.textEncoder)],
    ]);
    const options = { images: pictures("outline"), token: "outline", model, config: SD1 };
    const train = (more: { output: string; textEncoder?: boolean }) =>
      finished(trainDreambooth({ ...options, ...ONE_STEP, ...more }));
    const notThere = (error: unknown) =>
      error instanceof TrainingError && /single file, and so is the result/.test(error.message);
    await assert.rejects(() => train({ output: join(folder, "a-folder") }), notThere);

    await train({ output, textEncoder: true });
    const [before, after] = [await openSafetensors(model), await openSafetensors(output)];
    assert.deepEqual([...after.names()].sort(), [...before.names()].sort());
    const layers = await changed(before, after);
    const by = (prefix: string) => layers.filter((name) => name.startsWith(prefix)).length;
    assert.ok(by("model.diffusion_model.") > 100, `${by("model.diffusion_model.")} of the U-Net`);
    assert.ok(by("cond_stage_model.") > 10, `${by("cond_stage_model.")} of the text encoder`);
    assert.equal(by("first_stage_model."), 0);
    assert.ok((await openModel(output, { config: SD1 })).unet.weights.get("conv_in.weight"));
  });
});
