import assert from "node:assert/strict";
import { join } from "node:path";
import { cpu, openRuntime, Tensor } from "../../ffi/mod.ts";
import { input } from "../../graph/value.ts";
import { conv2d } from "../../models/layers.ts";
import { NetworkWeights } from "../../models/network_weights.ts";
import { StableDiffusion } from "../../mod.ts";
import { SessionBuilder } from "../../pipeline/session_builder.ts";
import { winogradWeights } from "../../pipeline/winograd_weights.ts";
import { openSafetensors } from "../../weights/safetensors.ts";
import { writeSafetensors } from "../../weights/safetensors_write.ts";
import type { TensorSource } from "../../weights/stored_tensor.ts";
import { winogradName } from "../../weights/winograd.ts";

const FINE = "up_blocks.3.resnets.0.conv1";
const SHAPES: Record<string, readonly number[]> = {
  [`${FINE}.weight`]: [320, 320, 3, 3],
  [`${FINE}.bias`]: [320],
  "down_blocks.0.resnets.0.conv1.weight": [320, 320, 3, 3],
  "up_blocks.1.upsamplers.0.conv.weight": [800, 800, 3, 3],
  // Too few pixels, another stride, too few channels, another kernel.
  "up_blocks.1.resnets.0.conv1.weight": [320, 320, 3, 3],
  "down_blocks.0.downsamplers.0.conv.weight": [320, 320, 3, 3],
  "down_blocks.0.resnets.1.conv1.weight": [320, 64, 3, 3],
  "down_blocks.0.attentions.0.proj_in.weight": [320, 320, 1, 1],
};

/** A folder, in it a U-Net's weights. */
async function weights(): Promise<{ folder: string; source: TensorSource }> {
  const folder = await Deno.makeTempDir(), path = join(folder, "unet.safetensors");
  let state = 1;
  const next = () => (state = (state * 16807) % 2147483647) / 2147483647 - 0.5;
  await writeSafetensors(
    path,
    Object.entries(SHAPES).map(([name, shape]) => ({
      name,
      dtype: "F32",
      shape,
      async *generate() {
        const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, next);
        yield new Uint8Array(data.buffer);
      },
    })),
    {},
  );
  return { folder, source: await openSafetensors(path) };
}

Deno.test("winogradWeights transforms the kernels that many pixels go through, once", async () => {
  const { folder, source } = await weights();
  let calls = 0;
  const options = { folder: join(folder, "cache"), onProgress: () => calls++ };
  const derived = await winogradWeights("unet", source, options);
  const transformed = Object.keys(SHAPES).filter((name) => derived.get(winogradName(name)));
  assert.deepEqual(transformed, [
    `${FINE}.weight`,
    "down_blocks.0.resnets.0.conv1.weight",
    "up_blocks.1.upsamplers.0.conv.weight",
  ]);
  assert.equal(calls, 3);
  assert.deepEqual([...derived.names()], [...source.names()]);
  await winogradWeights("unet", source, options);
  assert.equal(calls, 3, "the second time they are there");
});

Deno.test("a layer with transformed kernels computes what it computed", async () => {
  const { source } = await weights();
  const derived = await winogradWeights("unet", source, { folder: undefined });
  const layer = (from: TensorSource, height: number) => {
    const x = input("x", "float32", [1, 320, height, 32]);
    return { x, y: conv2d(x, NetworkWeights.of("the U-Net", from).at(FINE), 320) };
  };
  const data = Float32Array.from({ length: 320 * 32 * 32 }, (_, i) => Math.sin(i * 1.3));
  const builder = new SessionBuilder(openRuntime(), { providers: [cpu()] });
  const run = async (from: TensorSource, height = 32) => {
    const { x, y } = layer(from, height);
    const network = { name: "layer", inputs: [x], outputs: { y }, parameters: [], unexpected: [] };
    using session = await builder.build(network);
    const seen = data.subarray(0, 320 * height * 32);
    using tensor = Tensor.from(builder.runtime, "float32", seen, [1, 320, height, 32]);
    using result = (await session.run({ x: tensor })).y!;
    return [...result.data as Float32Array];
  };
  const direct = await run(source), winograd = await run(derived);
  const largest = direct.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const apart = winograd.reduce((most, y, i) => Math.max(most, Math.abs(y - direct[i]!)), 0);
  const error = apart / largest;
  assert.ok(error > 0 && error < 2e-5, `${error}`);
  assert.deepEqual(
    await run(derived, 16),
    await run(source, 16),
    "few pixels: the convolution itself",
  );
});

Deno.test("convolution is refused where it would be ignored", async () => {
  const refused = (options: Parameters<typeof StableDiffusion.open>[1], message: RegExp) =>
    assert.rejects(StableDiffusion.open(undefined, options), { name: "OptionError", message });
  await refused({ convolution: "fft" as "direct" }, /one of direct, winograd; got fft/);
  await refused({ convolution: "winograd", precision: "int8" }, /float32 weights; got precision/);
});
