import assert from "node:assert/strict";
import * as op from "../../graph/mod.ts";
import { runGraph, runModel } from "./run_graph.ts";

function smallGraph() {
  const x = op.input("x", "float32", ["batch", 4]);
  const weight = op.initializer("fc.weight", "float32", [2, 4], { data: new Uint8Array(32) });
  const y = op.scope("block", () => op.scope("fc", () => op.linear(x, weight)));
  return { x, weight, y };
}

Deno.test("toOnnx() writes readable names, types of every tensor, and metadata", () => {
  const { x, y } = smallGraph();
  const { bytes } = op.toOnnx({
    inputs: [x],
    outputs: { result: op.mul(y, 2) },
    name: "small",
    metadata: { license: "MIT" },
  });
  const graph = op.readOnnx(bytes);
  assert.equal(graph.name, "small");
  assert.equal(graph.producer, "latent");
  assert.deepEqual(graph.opsets, { "": 21 });
  assert.deepEqual(graph.metadata, { license: "MIT" });
  assert.deepEqual(graph.inputs, [{ name: "x", dtype: "float32", shape: ["batch", 4] }]);
  assert.deepEqual(graph.outputs, [{ name: "result", dtype: "float32", shape: ["batch", 2] }]);
  assert.deepEqual(graph.intermediates, [
    { name: "block/fc/Gemm", dtype: "float32", shape: ["batch", 2] },
  ]);
  assert.deepEqual(graph.nodes.map(({ name, type }) => [name, type]), [
    ["block/fc/Gemm", "Gemm"],
    ["Mul", "Mul"],
  ]);
  assert.deepEqual(graph.nodes[0]!.inputs, ["x", "fc.weight"]);
  assert.deepEqual(graph.nodes[0]!.attributes, { alpha: 1, beta: 1, transA: 0, transB: 1 });
  assert.deepEqual(graph.initializers.map(({ name }) => name), ["fc.weight", "constant/float32/2"]);
});

Deno.test("toOnnx() gives the same bytes for the same graph built again", () => {
  const build = () => {
    const { x, y } = smallGraph();
    return op.toOnnx({ inputs: [x], outputs: { y: op.silu(y) } }).bytes;
  };
  assert.deepEqual(build(), build());
});

Deno.test("toOnnx() declares com.microsoft only where it is used", () => {
  const { x, y } = smallGraph();
  const fused = op.toOnnx({ inputs: [x], outputs: { y: op.silu(y) } });
  assert.deepEqual(op.readOnnx(fused.bytes).opsets, { "": 21, "com.microsoft": 1 });
  const standard = op.lowering("standard", () => op.silu(y));
  const plain = op.toOnnx({ inputs: [x], outputs: { y: standard } });
  assert.deepEqual(op.readOnnx(plain.bytes).opsets, { "": 21 });
});

Deno.test("toOnnx() writes a value once, however often it is used, and equal constants once", () => {
  const x = op.input("x", "float32", [2]);
  const y = op.mul(x, 0.5);
  const { bytes } = op.toOnnx({ inputs: [x], outputs: { z: op.add(op.mul(y, 0.5), y) } });
  const graph = op.readOnnx(bytes);
  assert.deepEqual(graph.nodes.map((node) => node.name), ["Mul", "Mul_2", "Add"]);
  assert.deepEqual(graph.initializers.map(({ name }) => name), ["constant/float32/0.5"]);
});

Deno.test("toOnnx() gives a value with two names, or an input, an Identity", () => {
  const x = op.input("x", "float32", [2]);
  const y = op.exp(x);
  const weight = op.constant(new Float32Array([3]));
  const results = runGraph({ a: y, b: y, same: x, weight }, [
    [x, { data: Float32Array.of(0, 0), shape: [2] }],
  ]);
  assert.deepEqual(Object.keys(results), ["a", "b", "same", "weight"]);
  assert.deepEqual(Object.values(results).map(({ data }) => data), [[1, 1], [1, 1], [0, 0], [3]]);
});

Deno.test("toOnnx() keeps a name given to a value, and makes clashing ones unique", () => {
  const x = op.input("x", "float32", [2]);
  const y = op.exp(x), z = op.exp(y);
  y.name = z.name = "hidden";
  const { bytes } = op.toOnnx({ inputs: [x], outputs: { y: op.exp(z) } });
  assert.deepEqual(op.readOnnx(bytes).intermediates.map(({ name }) => name), [
    "hidden",
    "hidden_2",
  ]);
});

Deno.test("toOnnx() refuses an input that is not listed, and names used twice", () => {
  const x = op.input("x", "float32", [2]), again = op.input("x", "float32", [2]);
  const y = op.exp(x);
  assert.throws(() => op.toOnnx({ inputs: [], outputs: { y } }), /uses input "x". List it/);
  assert.throws(() => op.toOnnx({ inputs: [x, again], outputs: { y } }), /input name "x" is used/);
  assert.throws(() => op.toOnnx({ inputs: [x], outputs: { x: y } }), /output name "x" is used/);
  assert.throws(() => op.toOnnx({ inputs: [y], outputs: { y } }), /Use input\(\)/);
  assert.throws(() => op.toOnnx({ inputs: [x], outputs: { y }, opset: 9 }), /Cannot write opset 9/);
});

Deno.test("toOnnx() leaves out optional inputs, the last ones altogether", () => {
  const x = op.input("x", "float32", [1, 1, 2, 2]);
  const y = op.resizeNearest(x, [3, 3]);
  const { bytes } = op.toOnnx({ inputs: [x], outputs: { y } });
  const [node] = op.readOnnx(bytes).nodes;
  assert.deepEqual(node!.inputs.slice(0, 3), ["x", "", ""]);
  assert.equal(node!.inputs.length, 4);
});

Deno.test("a symbolic batch takes any size when the graph runs", () => {
  const x = op.input("x", "float32", ["batch", 4, 6]);
  const weight = op.constant(Float32Array.from({ length: 36 }, (_, i) => i), [6, 6]);
  const attended = op.multiHeadAttention(x, op.linear(x, weight), x, { heads: 2 });
  const rows = op.reshape(attended, [-1, 6]);
  assert.deepEqual(rows.shape, ["4*batch", 6]);
  const back = op.reshape(op.softmax(rows), ["batch", 4, 6]);
  for (const target of ["fused", "primitive"] as const) {
    const y = op.lowering(target, () => op.reduceSum(back, { axes: [1, 2] }));
    const { bytes } = op.toOnnx({ inputs: [x], outputs: { y } });
    for (const batch of [1, 3]) {
      const data = new Float32Array(batch * 24).fill(0.1);
      const { y: result } = runModel(bytes, {
        x: { data, shape: [batch, 4, 6], dtype: "float32" },
      });
      assert.deepEqual(result!.shape, [batch]);
      for (const sum of result!.data) assert.ok(Math.abs(sum - 4) < 1e-5);
    }
  }
});

Deno.test("readOnnx() refuses what is not a model", () => {
  assert.throws(() => op.readOnnx(new Uint8Array([255, 255, 1])), op.OnnxFormatError);
  assert.throws(() => op.readOnnx(new Uint8Array()), /holds no graph/);
});
