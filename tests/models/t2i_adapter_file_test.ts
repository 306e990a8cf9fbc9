import assert from "node:assert/strict";
import { join } from "node:path";
import { t2iAdapterConfig } from "../../models/t2i_adapter.ts";
import { t2iAdapterOfFile } from "../../models/t2i_adapter_file.ts";
import { ModelFormatError } from "../../weights/model_format_error.ts";
import { openSafetensors } from "../../weights/safetensors.ts";
import { tensorInMemory, type TensorSource, tensorSource } from "../../weights/stored_tensor.ts";

const FOLDER = join(import.meta.dirname!, "../golden/steering/t2i_adapter");

/** diffusers' tensors in TencentARC's names. */
function original(source: TensorSource): TensorSource {
  const tensors = [...source.names()].map((name) => {
    const inFile = name.replace("adapter.", "")
      .replace(/^body\.(\d+)\.resnets\.(\d+)/, (_, i, j) => `body.${2 * Number(i) + Number(j)}`)
      .replace(/^body\.(\d+)\.in_conv/, (_, i) => `body.${2 * Number(i)}.in_conv`);
    return { ...source.get(name)!, name: inFile };
  });
  return tensorSource("t2iadapter.pth", tensors);
}

Deno.test("t2iAdapterOfFile() finds the original's blocks, and what diffusers' config says", async () => {
  const source = await openSafetensors(join(FOLDER, "diffusion_pytorch_model.safetensors"));
  const json = JSON.parse(await Deno.readTextFile(join(FOLDER, "config.json")));
  const { path: _, ...expected } = t2iAdapterConfig(json, "config.json");
  for (const file of [source, original(source)]) {
    const { config: { path: _, ...config }, weights } = t2iAdapterOfFile(file);
    assert.deepEqual(config, expected);
    assert.deepEqual([...weights.names()].sort(), [...source.names()].sort());
    for (const name of source.names()) {
      assert.deepEqual(weights.get(name)!.location, source.get(name)!.location);
      assert.equal(weights.get(name)!.name, name);
    }
  }
});

Deno.test("t2iAdapterOfFile() tells light and XL adapters, and refuses other files", () => {
  const zeros = (name: string, ...shape: number[]) =>
    tensorInMemory(name, "F32", shape, new Float32Array(shape.reduce((a, b) => a * b, 1)));
  const light = [0, 1, 2, 3].flatMap((i) => {
    const width = [4, 8, 16, 16][i]!, from = i === 0 ? 192 : [4, 8, 16][i - 1]!;
    return [
      zeros(`body.${i}.in_conv.weight`, width / 4, from, 1, 1),
      zeros(`body.${i}.body.0.block1.weight`, width / 4, width / 4, 3, 3),
      zeros(`body.${i}.out_conv.weight`, width, width / 4, 1, 1),
    ];
  });
  const { config, weights } = t2iAdapterOfFile(tensorSource("color.pth", light));
  assert.deepEqual([config.kind, config.channels, config.resnets], [
    "light_adapter",
    [4, 8, 16],
    1,
  ]);
  assert.ok(weights.get("adapter.body.3.resnets.0.block1.weight"));
  const xl = t2iAdapterOfFile(tensorSource("xl.safetensors", [
    zeros("adapter.conv_in.weight", 4, 768, 3, 3),
    zeros("adapter.body.0.resnets.0.block1.weight", 4, 4, 3, 3),
    zeros("adapter.body.0.resnets.0.block2.weight", 4, 4, 1, 1),
  ]));
  assert.deepEqual([xl.config.kind, xl.config.factor], ["full_adapter_xl", 16]);
  const other = tensorSource("lora.safetensors", [zeros("conv_in.weight", 4, 4, 3, 3)]);
  assert.throws(() => t2iAdapterOfFile(other), ModelFormatError);
});
