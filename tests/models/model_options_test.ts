import { strict as assert } from "node:assert";
import { add, mul } from "../../graph/ops/arithmetic.ts";
import { slice } from "../../graph/ops/join.ts";
import { matMul } from "../../graph/ops/linalg.ts";
import { reduceMean } from "../../graph/ops/reduce.ts";
import { constant, input, type Value } from "../../graph/value.ts";
import { grad } from "../../graph/grad.ts";
import { clipTextConfig } from "../../models/clip_config.ts";
import { clipTextModel } from "../../models/clip_text.ts";
import { unet } from "../../models/unet.ts";
import { unetConfig } from "../../models/unet_config.ts";
import { vaeConfig } from "../../models/vae_config.ts";
import { vaeDecoder } from "../../models/vae_decoder.ts";
import { read, toFloat32 } from "../../weights/read.ts";
import {
  type StoredTensor,
  tensorInMemory,
  type TensorSource,
} from "../../weights/stored_tensor.ts";
import { type Golden, golden } from "./golden.ts";
import { assertGolden, runCase, runSession, session } from "./run_golden.ts";

const TEXT = { batch: 2, sequence: 11 };
const UNET = { batch: 2, height: 8, width: 8, sequence: 5 };

/** `it` with further inputs in its case, or others. */
function withInputs(
  it: Golden,
  name: string,
  inputs: Record<string, readonly [Float32Array | BigInt64Array, readonly number[]]>,
): Golden {
  const tensors = Object.entries(inputs).map(([key, [data, shape]]) => {
    const dtype = data instanceof Float32Array ? "F32" as const : "I64" as const;
    const full = `${name}/${key}`;
    return [full, tensorInMemory(full, dtype, shape, data)] as const;
  });
  const byName = new Map<string, StoredTensor>(tensors);
  return { ...it, io: { ...it.io, get: (key) => byName.get(key) ?? it.io.get(key) } };
}

function replaced(source: TensorSource, name: string, data: Float32Array): TensorSource {
  const shape = source.get(name)!.shape;
  const tensor = tensorInMemory(name, "F32", shape, data);
  return { ...source, get: (key) => key === name ? tensor : source.get(key) };
}

Deno.test("clipTextModel takes the embeddings of extra tokens as an input", async () => {
  const it = await golden("text_quick_gelu");
  const config = clipTextConfig(it.json, it.path);
  const model = clipTextModel(config, it.weights, TEXT, { extraTokens: 2, pooled: true });
  const table = await toFloat32(
    it.weights.get("text_model.embeddings.token_embedding.weight")!,
  );
  const row = (id: number) => table.subarray(id * 24, (id + 1) * 24);
  const ids = new BigInt64Array((await read(it.io.get("prompt/input_ids")!)).slice().buffer);
  // Token 17 is written as the second extra token, 9 as the first.
  const renamed = ids.map((id) => id === 17n ? 61n : id === 9n ? 60n : id);
  const outputs = await runCase(
    model,
    withInputs(it, "prompt", {
      input_ids: [renamed, [2, 11]],
      token_embeddings: [Float32Array.from([...row(9), ...row(17)]), [2, 24]],
    }),
    "prompt",
  );
  await assertGolden(outputs.hidden_states, it, "prompt/last");
  await assertGolden(outputs.pooled, it, "prompt/pooled");
});

Deno.test("clipTextModel refuses a sequence or a hidden state that the model does not have", async () => {
  const it = await golden("text_quick_gelu");
  const config = clipTextConfig(it.json, it.path);
  const build = (sequence: number, hiddenState: number) =>
    clipTextModel(config, it.weights, { batch: 1, sequence }, { hiddenState });
  assert.throws(() => build(12, -1), /got 12 tokens, expected at most 11/);
  assert.throws(() => build(11, -5), RangeError);
  assert.throws(() => build(11, 0), RangeError);
  assert.equal(build(11, -4).name, "text_encoder");
});

Deno.test("ModelOptions.parameter makes weights inputs of the graph", async () => {
  const it = await golden("unet_sd1");
  const names = ["mid_block.attentions.0.proj_in.weight", "conv_out.bias"];
  const model = unet(unetConfig(it.json, it.path), it.weights, UNET, {
    parameter: (name) => names.includes(name),
  });
  const found = model.parameters.map(({ node }) => node.kind === "input" ? node.name : "");
  assert.deepEqual(found, names);
  const inputs = Object.fromEntries(
    await Promise.all(names.map(async (name) => {
      const tensor = it.weights.get(name)!;
      return [name, [await toFloat32(tensor), [...tensor.shape]]] as const;
    })),
  );
  const outputs = await runCase(model, withInputs(it, "8x8", inputs), "8x8");
  await assertGolden(outputs.noise_prediction, it, "8x8/noise_prediction");
});

Deno.test("ModelOptions.adapt adds a low-rank layer to what it would be merged into", async () => {
  const it = await golden("unet_sd1");
  const config = unetConfig(it.json, it.path);
  const name = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q";
  const down = Float32Array.from({ length: 16 }, (_, i) => Math.sin(i));
  const up = Float32Array.from({ length: 16 }, (_, i) => Math.cos(3 * i));
  const seen: string[] = [];
  const adapted = unet(config, it.weights, UNET, {
    adapt: (layer, x, y) => {
      seen.push(layer.name);
      if (layer.name !== name) return y;
      assert.deepEqual(layer, { name, shape: [16, 16] });
      return add(y, matMul(matMul(x, constant(down, [16, 1])), constant(up, [1, 16])));
    },
  });
  assert.equal(new Set(seen).size, seen.length);
  assert.ok(seen.includes("conv_in") && seen.includes("time_embedding.linear_1"));

  const merged = (await toFloat32(it.weights.get(`${name}.weight`)!))
    .map((value, i) => value + up[Math.floor(i / 16)]! * down[i % 16]!);
  const reference = unet(config, replaced(it.weights, `${name}.weight`, merged), UNET);
  const got = (await runCase(adapted, it, "8x8")).noise_prediction!;
  const expected = (await runCase(reference, it, "8x8")).noise_prediction!;
  const plain = await toFloat32(it.io.get("8x8/noise_prediction")!);
  const distance = (a: Float32Array) => Math.max(...a.map((v, i) => Math.abs(v - expected[i]!)));
  assert.ok(distance(got) < 2e-5, `${distance(got)}`);
  assert.ok(distance(plain) > 1e-3, "the adapter changes nothing");
});

Deno.test("networks with a named batch run with any", async () => {
  const text = await golden("text_projection");
  const config = { ...clipTextConfig(text.json, text.path), projected: true };
  const encoder = clipTextModel(config, text.weights, { batch: "batch", sequence: 11 });
  await assertGolden((await runCase(encoder, text, "prompt", 2)).pooled, text, "prompt/pooled");
  const it = await golden("unet_sdxl");
  const model = unet(unetConfig(it.json, it.path), it.weights, { ...UNET, batch: "batch" });
  const { noise_prediction } = await runCase(model, it, "8x8", 2);
  await assertGolden(noise_prediction, it, "8x8/noise_prediction");
  const vae = await golden("vae_sd");
  const decoder = vaeDecoder(vaeConfig(vae.json, vae.path), vae.weights, {
    batch: "batch",
    height: 5,
    width: 3,
  });
  await assertGolden((await runCase(decoder, vae, "5x3", 2)).image, vae, "5x3/decoded");
});

Deno.test("a float16 network has float32 inputs and outputs and about the same result", async () => {
  const it = await golden("unet_sd2");
  const config = { ...unetConfig(it.json, it.path), upcastAttention: true };
  const model = unet(config, it.weights, UNET, { dtype: "float16" });
  assert.ok(model.inputs.every(({ dtype }) => dtype === "float32"));
  const outputs = await runCase(model, it, "8x8");
  await assertGolden(outputs.noise_prediction, it, "8x8/noise_prediction", 0.02);
});

Deno.test("networks compose into one graph that has a derivative to a token's embedding", async () => {
  const [text, it] = [await golden("text_quick_gelu"), await golden("unet_sd1")];
  const encoder = clipTextModel(clipTextConfig(text.json, text.path), text.weights, TEXT, {
    extraTokens: 1,
  });
  const [ids, embedding] = encoder.inputs as [Value, Value];
  const context = slice(encoder.outputs.hidden_states!, [0], [12], [2]);
  const network = unet(unetConfig(it.json, it.path), it.weights, { ...UNET, sequence: 11 }, {
    values: { encoder_hidden_states: context },
  });
  const prediction = network.outputs.noise_prediction!;
  const loss = reduceMean(mul(prediction, prediction));
  const derivative = grad(loss, [embedding])[0]!;
  const model = {
    ...network,
    inputs: [ids, embedding, ...network.inputs],
    outputs: { loss, derivative },
  };
  using built = await session(model);
  const at = async (embedding: Float32Array) => {
    const given = withInputs(it, "8x8", {
      input_ids: [BigInt64Array.from({ length: 22 }, (_, i) => i % 11 === 3 ? 60n : 7n), [2, 11]],
      token_embeddings: [embedding, [1, 24]],
    });
    return await runSession(built, given, "8x8");
  };
  const start = Float32Array.from({ length: 24 }, (_, i) => Math.sin(i + 1));
  const { derivative: slope } = await at(start);
  const norm = Math.hypot(...slope!);
  assert.ok(norm > 1e-6, "no derivative arrives");
  // Along the derivative the loss changes by its length: a central difference of the whole chain.
  const moved = (by: number) => at(start.map((value, i) => value + by * slope![i]! / norm));
  const step = 0.05;
  const [up, down] = [await moved(step), await moved(-step)];
  const rate = (up.loss![0]! - down.loss![0]!) / (2 * step);
  assert.ok(Math.abs(rate - norm) < 0.02 * norm, `difference ${rate}, derivative ${norm}`);
});

Deno.test("the derivatives of the U-Net to its weights equal torch's", async () => {
  const it = await golden("unet_sd1");
  const stored = [...it.io.names()].filter((name) => name.startsWith("gradients/"));
  const names = stored.map((name) => name.slice("gradients/".length));
  assert.equal(names.length, 8);
  const model = unet(unetConfig(it.json, it.path), it.weights, UNET, {
    parameter: (name) => names.includes(name),
  });
  const prediction = model.outputs.noise_prediction!;
  const slopes = grad(reduceMean(mul(prediction, prediction)), model.parameters);
  const outputs = Object.fromEntries(
    model.parameters.map(({ node }, i) => {
      return [`slope/${node.kind === "input" ? node.name : ""}`, slopes[i]!];
    }),
  );
  const inputs = Object.fromEntries(
    await Promise.all(names.map(async (name) => {
      const tensor = it.weights.get(name)!;
      return [name, [await toFloat32(tensor), tensor.shape]] as const;
    })),
  );
  const found = await runCase({ ...model, outputs }, withInputs(it, "8x8", inputs), "8x8");
  for (const name of names) {
    await assertGolden(found[`slope/${name}`], it, `gradients/${name}`, 2e-6);
  }
});

Deno.test("ModelOptions.values must be inputs of the network, and of their type", async () => {
  const it = await golden("unet_sd1");
  const build = (name: string, shape: number[]) =>
    unet(unetConfig(it.json, it.path), it.weights, UNET, {
      values: { [name]: input("x", "float32", shape) },
    });
  assert.throws(() => build("latents", [1]), /inputs are sample, timestep/);
  assert.throws(() => build("timestep", [3]), /got float32 \[3\], expected float32 \[2\]/);
});
