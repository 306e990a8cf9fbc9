import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { openModel } from "../../pipeline/open_model.ts";
import { trainDreambooth, TrainingError } from "../../training/mod.ts";
import { read, toFloat32 } from "../../weights/read.ts";
import type { TensorSource } from "../../weights/stored_tensor.ts";
import { finished, inFolder, pictures } from "./run.ts";

const embedded = fileURLToPath(new URL("../../assets/digits", import.meta.url));
const CONCEPT = {
  images: pictures("outline"),
  token: "outline",
  classImages: pictures("teal"),
  batch: 2,
  steps: 1,
  rate: 0.1,
  optimizer: "sgd",
};

async function changed(before: TensorSource, after: TensorSource): Promise<string[]> {
  const names: string[] = [];
  assert.deepEqual([...after.names()].sort(), [...before.names()].sort());
  for (const name of before.names()) {
    const [old, fresh] = [before.get(name)!, after.get(name)!];
    assert.deepEqual([fresh.dtype, fresh.shape], [old.dtype, old.shape], name);
    const bytes = await read(fresh);
    if (!(await read(old)).every((byte, i) => byte === bytes[i])) names.push(name);
  }
  return names;
}

Deno.test("trainDreambooth writes a folder that opens, in which the U-Net alone has changed", async () => {
  await inFolder(async (folder) => {
    const output = join(folder, "model");
    await finished(trainDreambooth({ ...CONCEPT, output }));
    const before = await openModel(undefined), after = await openModel(output);
    assert.deepEqual(await changed(before.vae.weights, after.vae.weights), []);
    const [old, fresh] = [before, after].map(({ textEncoders }) => textEncoders[0]!.weights);
    assert.deepEqual(await changed(old!, fresh!), []);
    const layers = await changed(before.unet.weights, after.unet.weights);
    assert.ok(layers.length > 100, `${layers.length} tensors changed`);
    const values = await toFloat32(after.unet.weights.get("conv_in.weight")!);
    assert.ok(values.every(Number.isFinite));
    await assert.rejects(
      () => finished(trainDreambooth({ ...CONCEPT, output })),
      (error) => error instanceof TrainingError && /it is there already/.test(error.message),
    );
  });
});

Deno.test("trainDreambooth trains the text encoder where asked", async () => {
  await inFolder(async (folder) => {
    const output = join(folder, "model");
    const options = { ...CONCEPT, output, model: embedded, variant: "fp16", textEncoder: true };
    await finished(trainDreambooth(options));
    const before = await openModel(undefined), after = await openModel(output);
    const [old, fresh] = [before, after].map(({ textEncoders }) => textEncoders[0]!.weights);
    const layers = await changed(old!, fresh!);
    assert.ok(layers.some((name) => name.includes("token_embedding")), "embeddings changed");
    assert.ok(layers.some((name) => name.includes("q_proj")), "layers changed");
  });
});
