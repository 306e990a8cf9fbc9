import { strict as assert } from "node:assert";
import { join } from "node:path";
import { isCheckpoint, openCheckpoint, vaeOf } from "../../models/checkpoint.ts";
import { controlNetCheckpointConfig } from "../../models/checkpoint_configs.ts";
import {
  isControlNetCheckpoint,
  openControlNetCheckpoint,
} from "../../models/checkpoint_controlnet.ts";
import { controlNet } from "../../models/controlnet.ts";
import { controlNetConfig } from "../../models/controlnet_config.ts";
import { ModelFormatError } from "../../weights/model_format_error.ts";
import { read } from "../../weights/read.ts";
import { openSafetensors } from "../../weights/safetensors.ts";
import type { TensorSource } from "../../weights/stored_tensor.ts";
import { fileOf, namesOf, type Shapes } from "./checkpoint_file.ts";
import { GOLDEN } from "./golden.ts";

function shapesOf(source: TensorSource | undefined): Shapes {
  assert.ok(source);
  return Object.fromEntries(
    [...source.names()].map((name) => [name, [...source.get(name)!.shape]]),
  );
}

for (
  const [model, family, encoders] of [
    ["sd15", "sd1", ["text_encoder"]],
    ["sd21", "sd2", ["text_encoder"]],
    ["sdxl", "sdxl", ["text_encoder", "text_encoder_2"]],
  ] as const
) {
  Deno.test(`openCheckpoint gives ${model}'s tensors the names and shapes of the diffusers folder`, async () => {
    const expected = await namesOf(model);
    const file = fileOf(expected.single_file);
    assert.equal(isCheckpoint(file), true);
    const checkpoint = await openCheckpoint(file);
    assert.equal(checkpoint.family, family);
    assert.equal(checkpoint.inChannels, 4);
    assert.deepEqual(shapesOf(checkpoint.unet), expected.unet);
    assert.deepEqual(shapesOf(checkpoint.vae), expected.vae);
    assert.deepEqual(shapesOf(checkpoint.textEncoder), expected.text_encoder);
    if (encoders.length === 1) assert.equal(checkpoint.textEncoder2, undefined);
    else assert.deepEqual(shapesOf(checkpoint.textEncoder2), expected.text_encoder_2);
  });
}

Deno.test("openCheckpoint cuts OpenCLIP's joint projections and transposes its last one", async () => {
  const checkpoint = await openCheckpoint(
    await openSafetensors(join(GOLDEN, "ldm_sdxl.safetensors")),
  );
  const parts = {
    unet_sdxl: checkpoint.unet,
    vae_sd: checkpoint.vae,
    text_quick_gelu: checkpoint.textEncoder,
    text_projection: checkpoint.textEncoder2,
  };
  for (const [name, part] of Object.entries(parts)) {
    const expected = await openSafetensors(join(GOLDEN, name, "model.safetensors"));
    const wanted = [...expected.names()].filter((key) => !key.endsWith("position_ids"));
    assert.deepEqual([...part!.names()].sort(), wanted.sort(), name);
    for (const key of wanted) {
      assert.deepEqual(await read(part!.get(key)!), await read(expected.get(key)!), key);
    }
  }
});

Deno.test("openCheckpoint names the text encoder alike whether or not the file has text_model.", async () => {
  const { single_file } = await namesOf("sd15");
  const bare = Object.entries(single_file).map(([name, shape]) =>
    [name.replace("transformer.text_model.", "transformer."), shape] as const
  );
  const checkpoint = await openCheckpoint(fileOf(Object.fromEntries(bare)));
  assert.deepEqual(shapesOf(checkpoint.textEncoder), (await namesOf("sd15")).text_encoder);
});

Deno.test("openCheckpoint tells inpainting by the channels and leaves absent networks out", async () => {
  const { single_file } = await namesOf("sd15");
  const unet = Object.entries(single_file).filter(([name]) => name.startsWith("model."));
  const shapes = Object.fromEntries(unet);
  shapes["model.diffusion_model.input_blocks.0.0.weight"] = [320, 9, 3, 3];
  const checkpoint = await openCheckpoint(fileOf(shapes));
  assert.equal(checkpoint.inChannels, 9);
  assert.equal(checkpoint.family, "sd1");
  assert.equal(checkpoint.vae, undefined);
  assert.equal(checkpoint.textEncoder, undefined);
});

Deno.test("openCheckpoint refuses files of other kinds, and tells the refiner by its text encoder", async () => {
  const lora = fileOf({ "lora_unet_mid_block.lora_up.weight": [4, 4] });
  assert.equal(isCheckpoint(lora), false);
  await assert.rejects(openCheckpoint(lora), ModelFormatError);
  const refiner = fileOf({
    "model.diffusion_model.input_blocks.0.0.weight": [384, 4, 3, 3],
    "conditioner.embedders.0.model.ln_final.weight": [1280],
  });
  const { isRefiner, family, textEncoder, textEncoder2 } = await openCheckpoint(refiner);
  assert.deepEqual([isRefiner, family, textEncoder], [true, "sdxl", undefined]);
  assert.ok(textEncoder2);
});

Deno.test("vaeOf finds the autoencoder in a file of its own, and none where there is none", async () => {
  const { single_file, vae, unet } = await namesOf("sd15");
  const prefix = "first_stage_model.";
  const own = Object.entries(single_file).filter(([name]) => name.startsWith(prefix));
  const bare = own.map(([name, shape]) => [name.slice(prefix.length), shape] as const);
  assert.deepEqual(shapesOf(vaeOf(fileOf(Object.fromEntries(bare)))), vae);
  assert.equal(vaeOf(fileOf(unet)), undefined);
  assert.equal(vaeOf(fileOf(vae)), undefined);
});

Deno.test("openControlNetCheckpoint gives the diffusers folder's names, with and without prefix", async () => {
  const { controlnet, controlnet_single_file } = await namesOf("sd15");
  const bare = Object.fromEntries(
    Object.entries(controlnet_single_file).map(([name, shape]) =>
      [name.replace("control_model.", ""), shape] as const
    ),
  );
  for (const file of [fileOf(controlnet_single_file), fileOf(bare)]) {
    assert.equal(isControlNetCheckpoint(file), true);
    const checkpoint = openControlNetCheckpoint(file);
    assert.equal(checkpoint.family, "sd1");
    assert.deepEqual(shapesOf(checkpoint.controlNet), controlnet);
    const config = controlNetConfig(controlNetCheckpointConfig(checkpoint), "p");
    assert.deepEqual(config, controlNetConfig({ cross_attention_dim: 768 }, "p"));
    const shape = { batch: 2, height: 64, width: 64, sequence: 77 };
    assert.deepEqual(controlNet(config, checkpoint.controlNet, shape).unexpected, []);
  }
  assert.equal(isControlNetCheckpoint(fileOf(controlnet)), false);
  assert.throws(() => openControlNetCheckpoint(fileOf(controlnet)), ModelFormatError);
});
