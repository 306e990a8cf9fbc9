import { strict as assert } from "node:assert";
import { clipTextConfig, clipVisionConfig } from "../../models/clip_config.ts";
import type { ConfigJson } from "../../models/config_reader.ts";
import { controlNetConfig } from "../../models/controlnet_config.ts";
import { unetConfig } from "../../models/unet_config.ts";
import { vaeConfig } from "../../models/vae_config.ts";
import { ModelFormatError } from "../../weights/model_format_error.ts";

const PATH = "model/unet/config.json";

/** What stable-diffusion-xl-base-1.0 says. */
const SDXL: ConfigJson = {
  _class_name: "UNet2DConditionModel",
  addition_embed_type: "text_time",
  addition_time_embed_dim: 256,
  attention_head_dim: [5, 10, 20],
  block_out_channels: [320, 640, 1280],
  cross_attention_dim: 2048,
  down_block_types: ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
  mid_block_type: "UNetMidBlock2DCrossAttn",
  projection_class_embeddings_input_dim: 2816,
  sample_size: 128,
  transformer_layers_per_block: [1, 2, 10],
  up_block_types: ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
  use_linear_projection: true,
  upcast_attention: null,
};

function refused(key: string, act: () => unknown, ...words: string[]): void {
  assert.throws(act, (error) => {
    assert.ok(error instanceof ModelFormatError, String(error));
    assert.equal(error.key, key);
    assert.equal(error.path, PATH);
    for (const word of [PATH, key, ...words]) assert.match(error.message, new RegExp(word));
    return true;
  });
}

Deno.test("unetConfig takes the class's defaults for absent and null keys", () => {
  const config = unetConfig({ cross_attention_dim: 768, upcast_attention: null }, PATH);
  assert.deepEqual(config.downBlocks.map((block) => block.channels), [320, 640, 1280, 1280]);
  assert.deepEqual(config.downBlocks.map((block) => block.transformers), [[1, 1], [1, 1], [
    1,
    1,
  ], []]);
  assert.deepEqual(config.upBlocks.map((block) => block.transformers), [[], [1, 1, 1], [1, 1, 1], [
    1,
    1,
    1,
  ]]);
  assert.deepEqual(config.downBlocks.map((block) => block.heads), [8, 8, 8, 8]);
  assert.equal(config.timeEmbedDim, 1280);
  assert.equal(config.upcastAttention, false);
  assert.equal(config.useLinearProjection, false);
  assert.equal(config.normEpsilon, 1e-5);
});

Deno.test("unetConfig reads SDXL: lists for each block, deepest transformer in the middle", () => {
  const config = unetConfig(SDXL, PATH);
  assert.deepEqual(config.downBlocks.map((block) => block.transformers), [[], [2, 2], [10, 10]]);
  assert.deepEqual(config.upBlocks.map((block) => block.transformers), [
    [10, 10, 10],
    [2, 2, 2],
    [],
  ]);
  assert.deepEqual(config.upBlocks.map((block) => block.heads), [20, 10, 5]);
  assert.equal(config.midTransformers, 10);
  assert.deepEqual(config.textTime, { timeDim: 256, inputDim: 2816 });
  assert.equal(config.sampleSize, 128);
});

Deno.test("unetConfig reads transformers listed for each layer, and no mid block", () => {
  const config = unetConfig({
    ...SDXL,
    mid_block_type: null,
    transformer_layers_per_block: [1, [2, 2], [4, 4]],
    reverse_transformer_layers_per_block: [[4, 4, 10], [2, 1, 1], 1],
  }, PATH);
  assert.deepEqual(config.downBlocks.map((block) => block.transformers), [[], [2, 2], [4, 4]]);
  assert.deepEqual(config.upBlocks.map((block) => block.transformers), [
    [4, 4, 10],
    [2, 1, 1],
    [],
  ]);
  assert.equal(config.midBlock, "none");
});

Deno.test("unetConfig refuses other classes, damaged values and variants by file and key", () => {
  const wrong = (key: string, value: unknown, ...words: string[]) =>
    refused(key, () => unetConfig({ ...SDXL, [key]: value }, PATH), ...words);
  wrong("_class_name", "UNet3DConditionModel", "UNet3DConditionModel", "UNet2DConditionModel");
  wrong("block_out_channels", [320, 640], "3 numbers");
  wrong("in_channels", "4", '"4"');
  wrong("down_block_types", ["DownBlock2D", "SkipDownBlock2D", "DownBlock2D"], "SkipDownBlock2D");
  wrong("up_block_types", ["UpBlock2D"], "3 names");
  wrong("attention_head_dim", [5, 9, 20], "640");
  wrong("transformer_layers_per_block", [1, 2], "whole number");
  wrong("act_fn", "gelu", "not supported");
  wrong("encoder_hid_dim_type", "text_proj", "not supported");
  wrong("resnet_time_scale_shift", "scale_shift", '"default"');
  wrong("norm_eps", NaN, "a number");
  wrong("only_cross_attention", [true], "list of 3");
  wrong("addition_embed_type", "image", "text_time");
});

Deno.test("vaeConfig takes 0.18215 where an old file has no scaling factor", () => {
  const json = {
    _class_name: "AutoencoderKL",
    block_out_channels: [128, 256, 512, 512],
    down_block_types: Array(4).fill("DownEncoderBlock2D"),
    up_block_types: Array(4).fill("UpDecoderBlock2D"),
    layers_per_block: 2,
    latents_mean: null,
  };
  const config = vaeConfig(json, PATH);
  assert.equal(config.scalingFactor, 0.18215);
  assert.equal(config.factor, 8);
  assert.equal(config.latentsMean, undefined);
  assert.equal(vaeConfig({ ...json, scaling_factor: 0.13025 }, PATH).scalingFactor, 0.13025);
  refused("scaling_factor", () => vaeConfig({ ...json, scaling_factor: 0 }, PATH));
  refused("latents_std", () => vaeConfig({ ...json, latents_std: [1] }, PATH), "4 numbers");
  refused("_class_name", () => vaeConfig({ ...json, _class_name: "AutoencoderTiny" }, PATH));
});

Deno.test("clipTextConfig finds the end token of old files, and the class", () => {
  const json = { architectures: ["CLIPTextModel"], hidden_size: 768, num_attention_heads: 12 };
  assert.equal(clipTextConfig({ ...json, eos_token_id: 2 }, PATH).endToken, 49407);
  assert.equal(
    clipTextConfig({ ...json, eos_token_id: 2, vocab_size: 49500 }, PATH).endToken,
    49407,
  );
  assert.equal(clipTextConfig({ ...json, eos_token_id: 2, vocab_size: 60 }, PATH).endToken, 59);
  assert.equal(clipTextConfig(json, PATH).projected, false);
  const projected = { ...json, architectures: ["CLIPTextModelWithProjection"] };
  assert.equal(clipTextConfig(projected, PATH).projected, true);
  assert.equal(clipTextConfig({ hidden_size: 768 }, PATH).projected, undefined);
  refused("hidden_act", () => clipTextConfig({ ...json, hidden_act: "relu" }, PATH), "quick_gelu");
  refused("architectures", () => clipTextConfig({ architectures: ["T5EncoderModel"] }, PATH));
  refused("num_attention_heads", () => clipTextConfig({ ...json, num_attention_heads: 5 }, PATH));
});

Deno.test("clipTextConfig and clipVisionConfig read their section of a whole CLIP model", () => {
  const json = {
    architectures: ["CLIPModel"],
    text_config: { hidden_size: 768, num_attention_heads: 12 },
    vision_config: { hidden_size: 1024, num_attention_heads: 16, patch_size: 14 },
  };
  assert.equal(clipTextConfig(json, PATH).hiddenSize, 768);
  assert.equal(clipVisionConfig(json, PATH).patchSize, 14);
  assert.equal(clipVisionConfig(json, PATH).heads, 16);
});

Deno.test("controlNetConfig reads the control network and shares the U-Net's keys", () => {
  const config = controlNetConfig({
    _class_name: "ControlNetModel",
    cross_attention_dim: 768,
    controlnet_conditioning_channel_order: "bgr",
  }, PATH);
  assert.deepEqual(config.conditioningOutChannels, [16, 32, 96, 256]);
  assert.equal(config.channelOrder, "bgr");
  assert.equal(config.downBlocks[0]!.crossAttentionDim, 768);
  refused("_class_name", () => controlNetConfig({ _class_name: "UNet2DConditionModel" }, PATH));
});
