import { strict as assert } from "node:assert";
import { openCheckpoint } from "../../models/checkpoint.ts";
import { checkpointConfigs } from "../../models/checkpoint_configs.ts";
import { clipTextConfig } from "../../models/clip_config.ts";
import { clipTextModel } from "../../models/clip_text.ts";
import type { ConfigJson } from "../../models/config_reader.ts";
import { unet } from "../../models/unet.ts";
import { unetConfig } from "../../models/unet_config.ts";
import { vaeConfig } from "../../models/vae_config.ts";
import { vaeDecoder } from "../../models/vae_decoder.ts";
import { vaeEncoder } from "../../models/vae_encoder.ts";
import { fileOf, namesOf } from "./checkpoint_file.ts";
import { golden } from "./golden.ts";

/** What the published folders say. */
const UNETS: Readonly<Record<string, ConfigJson>> = {
  sd15: { cross_attention_dim: 768, sample_size: 64 },
  sd21: {
    cross_attention_dim: 1024,
    sample_size: 96,
    attention_head_dim: [5, 10, 20, 20],
    use_linear_projection: true,
  },
  sdxl: {
    cross_attention_dim: 2048,
    sample_size: 128,
    attention_head_dim: [5, 10, 20],
    block_out_channels: [320, 640, 1280],
    transformer_layers_per_block: [1, 2, 10],
    down_block_types: ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    up_block_types: ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    use_linear_projection: true,
    addition_embed_type: "text_time",
    addition_time_embed_dim: 256,
    projection_class_embeddings_input_dim: 2816,
  },
};

const TEXTS: Readonly<Record<string, ConfigJson>> = {
  sd15: { hidden_size: 768, intermediate_size: 3072, num_attention_heads: 12 },
  sd21: {
    hidden_size: 1024,
    intermediate_size: 4096,
    num_attention_heads: 16,
    num_hidden_layers: 23,
    hidden_act: "gelu",
  },
  sdxl: { hidden_size: 768, intermediate_size: 3072, num_attention_heads: 12 },
};

for (const model of ["sd15", "sd21", "sdxl"] as const) {
  Deno.test(`checkpointConfigs of ${model} are those of its diffusers folder`, async () => {
    const configs = checkpointConfigs(
      await openCheckpoint(fileOf((await namesOf(model)).single_file)),
    );
    assert.deepEqual(unetConfig(configs.unet, "p"), unetConfig(UNETS[model]!, "p"));
    const text = (json: ConfigJson) =>
      clipTextConfig({ architectures: ["CLIPTextModel"], ...json }, "p");
    assert.deepEqual(text(configs.textEncoder!), text(TEXTS[model]!));
    const vae = vaeConfig(configs.vae!, "p");
    assert.deepEqual(vae.blockOutChannels, [128, 256, 512, 512]);
    assert.equal(vae.layersPerBlock, 2);
    assert.equal(vae.scalingFactor, model === "sdxl" ? 0.13025 : 0.18215);
    assert.equal(configs.scheduler.prediction_type, model === "sd21" ? "v_prediction" : "epsilon");
  });

  Deno.test(`the networks of ${model} use every tensor of their full-size files, and no other`, async () => {
    const names = await namesOf(model);
    const config = unetConfig(UNETS[model]!, "p");
    const shape = { batch: 2, height: 64, width: 64, sequence: 77 };
    const models = [
      unet(config, fileOf(names.unet), shape),
      clipTextModel(clipTextConfig(TEXTS[model]!, "p"), fileOf(names.text_encoder), shape),
    ];
    const { vae } = checkpointConfigs(await openCheckpoint(fileOf(names.single_file)));
    models.push(
      vaeDecoder(vaeConfig(vae!, "p"), fileOf(names.vae), { batch: 1, height: 64, width: 64 }),
      vaeEncoder(vaeConfig(vae!, "p"), fileOf(names.vae), { batch: 1, height: 64, width: 64 }),
    );
    for (const { name, unexpected } of models) assert.deepEqual(unexpected, [], name);
    assert.deepEqual(models[0]!.outputs.noise_prediction!.shape, [2, 4, 64, 64]);
    assert.deepEqual(models[2]!.outputs.image!.shape, [1, 3, 512, 512]);
    assert.deepEqual(models[3]!.outputs.mean!.shape, [1, 4, 64, 64]);
  });
}

Deno.test("checkpointConfigs of SDXL make its second text encoder project", async () => {
  const names = await namesOf("sdxl");
  const { textEncoder2 } = checkpointConfigs(await openCheckpoint(fileOf(names.single_file)));
  const config = clipTextConfig(textEncoder2!, "p");
  assert.deepEqual([config.hiddenSize, config.layers, config.heads, config.projectionDim], [
    1280,
    32,
    20,
    1280,
  ]);
  const model = clipTextModel(config, fileOf(names.text_encoder_2), { batch: 1, sequence: 77 });
  assert.deepEqual(model.unexpected, []);
  assert.deepEqual(model.outputs.pooled!.shape, [1, 1280]);
});

Deno.test("checkpointConfigs take another prediction when told", async () => {
  const checkpoint = await openCheckpoint(fileOf((await namesOf("sd21")).single_file));
  const { scheduler } = checkpointConfigs(checkpoint, { prediction: "epsilon" });
  assert.equal(scheduler.prediction_type, "epsilon");
});

Deno.test("checkpointConfigs read distilled networks off their shapes", async () => {
  for (const name of ["unet_small", "unet_lcm", "unet_digits"]) {
    const it = await golden(name);
    const source = {
      family: "sd1" as const,
      isRefiner: false,
      inChannels: 4,
      unet: it.weights,
      vae: undefined,
      textEncoder: undefined,
      textEncoder2: undefined,
      prediction: undefined,
    };
    const { downBlocks, upBlocks, midBlock, timeCondDim } = unetConfig(it.json, "p");
    const read = unetConfig(checkpointConfigs(source).unet, "p");
    const layers = (blocks: typeof downBlocks) =>
      blocks.map(({ channels, layers, transformers }) => ({ channels, layers, transformers }));
    assert.deepEqual(layers(read.downBlocks), layers(downBlocks), name);
    assert.deepEqual(layers(read.upBlocks), layers(upBlocks), name);
    assert.equal(read.midBlock, midBlock);
    assert.equal(read.timeCondDim, timeCondDim);
  }
});
