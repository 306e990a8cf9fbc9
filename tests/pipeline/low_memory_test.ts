/** Less memory: networks in parts, decoding in tiles. */

import assert from "node:assert/strict";
import { openRuntime } from "../../ffi/runtime.ts";
import type { Session } from "../../ffi/session.ts";
import { Tensor } from "../../ffi/tensor.ts";
import { toOnnx } from "../../graph/onnx_write.ts";
import { partition } from "../../graph/partition.ts";
import { type GenerateOptions, optionsFromMetadata, readMetadata } from "../../mod.ts";
import { StableDiffusion } from "../../mod.ts";
import { unet } from "../../models/unet.ts";
import { openModel } from "../../pipeline/open_model.ts";
import { PartedNetwork } from "../../pipeline/parted_network.ts";
import { difference } from "./difference.ts";

const runtime = openRuntime();

function session(
  model: Parameters<typeof toOnnx>[0],
  config: Record<string, string> = {},
): Session {
  const { bytes, initializers, externalRoot = "/" } = toOnnx(model);
  assert.deepEqual(initializers, []);
  const folder = "session.model_external_initializers_file_folder_path";
  return runtime.createSession(bytes, {
    intraOpThreads: 1,
    config: { [folder]: externalRoot, ...config },
  });
}

Deno.test("PartedNetwork runs the embedded U-Net in parts, weights in half precision mapped", async () => {
  const { unet: { config, weights } } = await openModel(undefined);
  const shape = { batch: 2, height: 8, width: 8, sequence: 4 };
  const model = unet(config, weights, shape);
  const whole = partition(model.outputs, Infinity), parts = partition(model.outputs, 2 << 20);
  assert.equal(whole.length, 1);
  assert.ok(parts.length >= 4, `${parts.length} parts`);
  const network = new PartedNetwork(
    parts.map((part) => session(part)),
    new Set(["noise_prediction"]),
  );
  using one = session(whole[0]!);
  assert.deepEqual(
    network.inputs.map(({ name }) => name).sort(),
    ["encoder_hidden_states", "sample", "timestep"],
  );
  const feeds = Object.fromEntries(one.inputs.map(({ name, shape }) => {
    const length = (shape as number[]).reduce((a, b) => a * b, 1);
    const data = Float32Array.from({ length }, (_, i) => Math.sin(i + 1));
    return [name, Tensor.from(runtime, "float32", data, shape as number[])];
  }));
  const expected = one.runSync(feeds).noise_prediction!.data as Float32Array;
  const outputs = await network.run(feeds);
  assert.deepEqual(Object.keys(outputs), ["noise_prediction"]);
  const actual = outputs.noise_prediction!.data as Float32Array;
  expected.forEach((value, i) => assert.ok(Math.abs(value - actual[i]!) < 1e-5, `${i}`));
  network.dispose();
  assert.ok(network.disposed);
  await assert.rejects(network.run(feeds), /disposed/);
});

const options: GenerateOptions = {
  prompt: "a yellow three on a purple background",
  seed: 1,
  steps: 4,
  scheduler: "DPM++ 2M",
};

Deno.test("low memory draws the same picture within rounding", async () => {
  await using plain = await StableDiffusion.open(undefined, { threads: 1 });
  await using low = await StableDiffusion.open(undefined, { threads: 1, lowMemory: true });
  const a = await plain.generate(options), b = await low.generate(options);
  const worst = difference(a, b);
  assert.ok(worst <= 1, `a channel differs by ${worst}`);
});

Deno.test("low memory decodes in small tiles, and pictures say so", async () => {
  await using low = await StableDiffusion.open(undefined, { threads: 1, lowMemory: true });
  await using plain = await StableDiffusion.open(undefined, { threads: 1 });
  const image = await low.generate({ ...options, steps: 1, vaeTileSize: 32 });
  const again = optionsFromMetadata(readMetadata(image.text)!);
  assert.deepEqual([again.vaeTiling, again.vaeTileSize], [true, 32]);
  const whole = await plain.generate({ ...again, vaeTiling: false });
  const tiled = await plain.generate(again);
  assert.ok(difference(tiled, image) <= 1);
  assert.ok(difference(whole, image) > 1);
});
