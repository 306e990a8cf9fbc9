import assert from "node:assert/strict";
import { conv } from "../../graph/ops/conv.ts";
import { linear } from "../../graph/ops/linalg.ts";
import { reshape } from "../../graph/ops/movement.ts";
import { initializer, input, type Value } from "../../graph/value.ts";
import { toOnnx } from "../../graph/onnx_write.ts";
import { readOnnx } from "../../graph/onnx_read.ts";
import { openRuntime } from "../../ffi/runtime.ts";
import { Tensor } from "../../ffi/tensor.ts";
import { weightsLeftMapped } from "../../pipeline/weight_packing.ts";

const runtime = openRuntime();

function weight(name: string, shape: readonly number[], value = 0.5): Value {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value);
  return initializer(name, "float32", shape, { data: new Uint8Array(data.buffer) });
}

/** A convolution over 1024 pixels, then a product over 4 rows. */
function model() {
  const x = input("x", "float32", [1, 4, 32, 32]);
  const filter = weight("filter", [4, 4, 1, 1]), matrix = weight("matrix", [8, 1024]);
  const y = linear(reshape(conv(x, filter), [1, 4, 1024]), matrix);
  return {
    graph: { name: "m", inputs: [x], outputs: { y }, parameters: [], unexpected: [] },
    filter,
    matrix,
  };
}

Deno.test("weightsLeftMapped() packs what many rows use, within the budget", () => {
  const { graph, filter, matrix } = model();
  assert.deepEqual([...weightsLeftMapped(graph, { budget: 1 << 20, small: 0 })], [matrix]);
  assert.deepEqual(
    weightsLeftMapped(graph, { budget: 0, small: 0 }),
    new Set([filter, matrix]),
  );
});

Deno.test("weightsLeftMapped() packs all of a small model", () => {
  const { graph } = model(), bytes = 4 * (16 + 8 * 1024);
  assert.equal(weightsLeftMapped(graph, { budget: 0, small: bytes }).size, 0);
  assert.equal(weightsLeftMapped(graph, { budget: 0, small: bytes - 1 }).size, 2);
});

Deno.test("weightsLeftMapped() decides the same for every batch", () => {
  const left = (batch: number) => {
    const x = input("x", "float32", [batch, 64, 64]), matrix = weight("matrix", [8, 64]);
    const y = linear(x, matrix);
    const graph = { name: "m", inputs: [x], outputs: { y }, parameters: [], unexpected: [] };
    return weightsLeftMapped(graph, { budget: 1 << 20, small: 0 }).size;
  };
  assert.deepEqual([1, 2, 16].map(left), [1, 1, 1]);
});

Deno.test("toOnnx() declares variable weights as inputs too, and a run needs them not", () => {
  const { graph, matrix } = model();
  const { bytes } = toOnnx({ ...graph, variable: new Set([matrix]), inlineBytes: Infinity });
  assert.deepEqual(readOnnx(bytes).inputs.map(({ name }) => name), ["x", "matrix"]);
  using session = runtime.createSession(bytes);
  assert.deepEqual(session.inputs.map(({ name }) => name), ["x"]);
  using x = Tensor.from(runtime, "float32", new Float32Array(4096).fill(1), [1, 4, 32, 32]);
  const { y } = session.runSync({ x });
  using result = y!;
  assert.ok((result.data as Float32Array).every((value) => value === 4 * 0.5 * 1024 * 0.5));
});
