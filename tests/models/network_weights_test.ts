import { strict as assert } from "node:assert";
import { NetworkWeights } from "../../models/network_weights.ts";
import { ModelFormatError } from "../../weights/model_format_error.ts";
import {
  type StoredDType,
  type StoredTensor,
  tensorByteLength,
  tensorInMemory,
  tensorSource,
} from "../../weights/stored_tensor.ts";

function inFile(name: string, dtype: StoredDType, shape: number[]): StoredTensor {
  const location = {
    file: "/m/a.safetensors",
    offset: 64,
    byteLength: tensorByteLength(dtype, shape),
  };
  return { name, dtype, shape, location };
}

const source = tensorSource("a.safetensors", [
  inFile("conv.weight", "F32", [8, 4, 1, 1]),
  inFile("half.weight", "F16", [8, 4]),
  inFile("mid_block.attentions.0.query.weight", "F32", [8, 8]),
  inFile("encoder.layers.0.mlp.fc1.bias", "F32", [3]),
  inFile("text_model.embeddings.position_ids", "I64", [1, 77]),
  inFile("indices", "I64", [2]),
  inFile("leftover", "F32", [1]),
  tensorInMemory("memory", "BF16", [2], new Uint16Array([0x3f80, 0xc000])),
]);

function message(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof ModelFormatError, String(error));
    return error.message;
  }
  return assert.fail("nothing was thrown");
}

Deno.test("NetworkWeights.tensor leaves weights in their file, with their type if it differs", () => {
  const w = NetworkWeights.of("the U-Net", source);
  const single = w.tensor("conv.weight", [8, 4, 1, 1]);
  assert.deepEqual(single.node, {
    kind: "initializer",
    name: "conv.weight",
    source: { file: "/m/a.safetensors", offset: 64, byteLength: 128 },
  });
  const half = w.at("half").tensor("weight", [8, 4]);
  assert.equal(half.dtype, "float32");
  assert.ok(half.node.kind === "initializer" && "storedAs" in half.node.source);
  assert.equal(half.node.source.storedAs, "float16");
  const float16 = NetworkWeights.of("the U-Net", source, { dtype: "float16" });
  assert.deepEqual(float16.tensor("half.weight", [8, 4]).dtype, "float16");
});

Deno.test("NetworkWeights.tensor converts weights in memory to the network's type", () => {
  const { node } = NetworkWeights.of("the U-Net", source).tensor("memory", [2]);
  assert.ok(node.kind === "initializer" && "data" in node.source);
  assert.deepEqual(new Float32Array(node.source.data.slice().buffer), new Float32Array([1, -2]));
});

Deno.test("NetworkWeights.tensor takes a 1x1 convolution for a matrix and gives one Value a name", () => {
  const w = NetworkWeights.of("the U-Net", source);
  const value = w.tensor("conv.weight", [8, 4]);
  assert.deepEqual(value.shape, [8, 4]);
  assert.equal(w.tensor("conv.weight", [8, 4]), value);
});

Deno.test("NetworkWeights.tensor finds older and shorter spellings", () => {
  const w = NetworkWeights.of("the VAE", source);
  assert.ok(w.at("mid_block").at("attentions.0").tensor("to_q.weight", [8, 8]));
  assert.ok(w.tensor("text_model.encoder.layers.0.mlp.fc1.bias", [3]));
});

Deno.test("NetworkWeights.tensor says what is missing, misshapen or of the wrong type", () => {
  const w = NetworkWeights.of("the U-Net", source);
  assert.match(
    message(() => w.at("conv").tensor("bias", [8])),
    /^Cannot build the U-Net from a\.safetensors: tensor conv\.bias is missing; expected shape \[8\]/,
  );
  assert.match(
    message(() => w.tensor("conv.weight", [8, 4, 3, 3])),
    /conv\.weight has another shape; got \[8,4,1,1\], expected \[8,4,3,3\]/,
  );
  assert.match(
    message(() => w.tensor("indices", [2])),
    /indices has a type that is not used for weights; got I64/,
  );
});

Deno.test("NetworkWeights.unexpected lists what nothing has read, known leftovers out", () => {
  const w = NetworkWeights.of("the U-Net", source);
  w.tensor("memory", [2]);
  w.tensor("half.weight", [8, 4]);
  const elsewhere = (name: string) => name.startsWith("encoder.");
  assert.deepEqual(w.unexpected(elsewhere), [
    "conv.weight",
    "mid_block.attentions.0.query.weight",
    "indices",
    "leftover",
  ]);
});
