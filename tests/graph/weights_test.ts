import assert from "node:assert/strict";
import { realpathSync } from "node:fs";
import { join } from "node:path";
import { OrtError } from "../../ffi/errors.ts";
import { openRuntime } from "../../ffi/runtime.ts";
import { Tensor } from "../../ffi/tensor.ts";
import { locationIn } from "../../graph/external_data.ts";
import * as op from "../../graph/mod.ts";
import { weightAs } from "../../graph/weight_views.ts";
import { runModel } from "./run_graph.ts";

const FOLDER = "session.model_external_initializers_file_folder_path";
const numbers = Float32Array.from({ length: 6 }, (_, i) => i + 0.5);
const feeds = { x: { data: Float32Array.of(1, 1), shape: [1, 2], dtype: "float32" as const } };

/** Runs `use` with a file that holds `bytes` after `offset` others, in a folder of its own. */
function withFile(bytes: Uint8Array, offset: number, use: (file: string) => void): void {
  const folder = realpathSync(Deno.makeTempDirSync());
  try {
    const file = join(folder, "w.safetensors");
    const content = new Uint8Array(offset + bytes.length);
    content.set(bytes, offset);
    Deno.writeFileSync(file, content);
    use(file);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function modelOf(source: op.InitializerSource, options: Partial<op.OnnxOptions> = {}) {
  const x = op.input("x", "float32", [1, 2]);
  const weight = op.initializer("w", "float32", [2, 3], source);
  return op.toOnnx({ inputs: [x], outputs: { y: op.matMul(x, weight) }, ...options });
}

Deno.test("a weight is read from its place in a file, at any alignment", () => {
  withFile(new Uint8Array(numbers.buffer), 13, (file) => {
    const model = modelOf({ file, offset: 13, byteLength: 24 });
    assert.deepEqual(model.initializers, []);
    const config = { [FOLDER]: model.externalRoot! };
    assert.deepEqual(runModel(model.bytes, feeds, { config }).y!.data, [4, 6, 8]);
    const [weight] = op.readOnnx(model.bytes).initializers;
    assert.equal(weight!.source && "offset" in weight!.source && weight!.source.offset, 13);
  });
});

Deno.test("a weight stored in another type is left to the session builder, and refused without", () => {
  withFile(new Uint8Array(12), 0, (file) => {
    const source = { file, offset: 0, byteLength: 12, storedAs: "float16" } as const;
    const model = modelOf(source);
    assert.deepEqual(model.initializers, [
      { name: "w", type: { dtype: "float32", shape: [2, 3] }, source },
    ]);
    assert.throws(() => runModel(model.bytes, feeds), OrtError);
    const supplied = Tensor.from(openRuntime(), "float32", numbers, [2, 3]);
    const results = runModel(model.bytes, feeds, { initializers: new Map([["w", supplied]]) });
    assert.deepEqual(results.y!.data, [4, 6, 8]);
  });
});

Deno.test("small weights in memory are written into the model, large ones are supplied", () => {
  const data = new Uint8Array(numbers.buffer);
  assert.deepEqual(runModel(modelOf({ data }).bytes, feeds).y!.data, [4, 6, 8]);
  const model = modelOf({ data }, { inlineBytes: 16 });
  assert.equal(model.initializers[0]!.source && "data" in model.initializers[0]!.source, true);
  assert.ok(model.bytes.length < modelOf({ data }).bytes.length);
  const supplied = Tensor.from(openRuntime(), "float32", numbers, [2, 3]);
  const results = runModel(model.bytes, feeds, { initializers: new Map([["w", supplied]]) });
  assert.deepEqual(results.y!.data, [4, 6, 8]);
});

Deno.test("one range of a file is one tensor, whatever the number of values over it", () => {
  const file = { file: "/models/clip/w.safetensors", offset: 100, byteLength: 24 };
  const x = op.input("x", "float32", [1, 2]);
  const tied = ["a", "b"].map((name) => op.initializer(name, "float32", [2, 3], file));
  const y = op.add(op.matMul(x, tied[0]!), op.matMul(x, tied[1]!));
  const graph = op.readOnnx(op.toOnnx({ inputs: [x], outputs: { y } }).bytes);
  assert.deepEqual(graph.initializers.map(({ name }) => name), ["a"]);
});

Deno.test("different weights of one name get different names", () => {
  const at = (offset: number) => ({ file: "/w.safetensors", offset, byteLength: 24 });
  const x = op.input("x", "float32", [1, 2]);
  const both = [0, 24].map((offset) => op.initializer("w", "float32", [2, 3], at(offset)));
  const y = op.add(op.matMul(x, both[0]!), op.matMul(x, both[1]!));
  const graph = op.readOnnx(op.toOnnx({ inputs: [x], outputs: { y } }).bytes);
  assert.deepEqual(graph.initializers.map(({ name }) => name), ["w", "w_2"]);
});

Deno.test("locations are relative to the root of the file system, or to a folder", () => {
  assert.equal(locationIn("/", "/models/sd/w.safetensors"), "models/sd/w.safetensors");
  assert.equal(locationIn("/models", "/models/sd/w.safetensors"), "sd/w.safetensors");
  assert.equal(locationIn("/models/", "/models/a\\b"), "a\\b");
  assert.equal(locationIn("C:/", "C:\\models\\w.safetensors"), "models/w.safetensors");
  assert.throws(() => locationIn("/models", "/models2/w"), /outside \/models\. Put all weights/);
  assert.throws(() => locationIn("C:/", "D:\\w"), /outside C:/);
  assert.throws(() => locationIn("/", "w.safetensors"), /expected an absolute path/);
});

Deno.test("a reshaped weight is written as the same bytes in that shape", () => {
  const file = { file: "/w.safetensors", offset: 8, byteLength: 16 };
  const scale = op.initializer("norm.weight", "float32", [4], file);
  const x = op.input("x", "float32", [1, 4, 2, 2]);
  const y = op.mul(x, op.unsqueeze(op.reshape(scale, [2, 2]), 0));
  const graph = op.readOnnx(op.toOnnx({ inputs: [x], outputs: { y } }).bytes);
  assert.deepEqual(graph.nodes.map(({ type }) => type), ["Mul"]);
  const [weight] = graph.initializers;
  assert.deepEqual(weight, {
    name: "norm.weight:1x2x2",
    dtype: "float32",
    shape: [1, 2, 2],
    source: { location: "w.safetensors", offset: 8, byteLength: 16 },
  });
  // As a result of the graph it needs a node to have the result's name.
  const kept = op.toOnnx({ inputs: [], outputs: { shaped: op.reshape(scale, [2, 2]) } });
  assert.deepEqual(op.readOnnx(kept.bytes).nodes.map(({ type }) => type), ["Reshape"]);
});

Deno.test("the first rows of a weight are written as part of its bytes, other parts as nodes", () => {
  const x = op.input("x", "float32", [1, 3]);
  const types = (weight: op.Value) => {
    const y = op.add(x, op.reduceSum(weight));
    const graph = op.readOnnx(op.toOnnx({ inputs: [x], outputs: { y } }).bytes);
    return [graph.nodes.map(({ type }) => type).join(), graph.initializers[0]!] as const;
  };
  const file = { file: "/w.safetensors", offset: 8, byteLength: 60 };
  const table = op.initializer("table", "float32", [5, 3], file);
  const [nodes, rows] = types(op.slice(table, [1], [3]));
  assert.equal(nodes, "ReduceSum,Add");
  assert.deepEqual(rows, {
    name: "table:2x3",
    dtype: "float32",
    shape: [2, 3],
    source: { location: "w.safetensors", offset: 20, byteLength: 24 },
  });
  const data = new Uint8Array(Float32Array.from({ length: 15 }, (_, i) => i).buffer);
  const [, inline] = types(
    op.slice(op.initializer("table", "float32", [5, 3], { data }), [4], [5]),
  );
  assert.deepEqual(inline.source, { data: data.slice(48) });
  assert.equal(types(op.slice(table, [0], [2], [1]))[0], "Slice,ReduceSum,Add");
  assert.equal(types(op.slice(table, [0], [5], [0], [2]))[0], "Slice,ReduceSum,Add");
});

Deno.test("a view of a weight still passes its derivative to the weight", () => {
  const x = op.input("x", "float32", [2]);
  const weight = op.initializer("w", "float32", [3, 1], { data: new Uint8Array(12) });
  const y = op.reduceSum(op.mul(x, op.reshape(op.slice(weight, [1], [3]), [2])));
  const [g] = op.grad(y, [weight]);
  const { bytes } = op.toOnnx({ inputs: [x], outputs: { g: g! } });
  const feed = { data: Float32Array.of(5, 7), shape: [2], dtype: "float32" as const };
  assert.deepEqual(runModel(bytes, { x: feed }).g!.data, [0, 5, 7]);
});

Deno.test("a weight in another type comes straight from its file, where that has the type or is converted", () => {
  const place = { file: "/weights", offset: 8, byteLength: 8 };
  const half = { ...place, byteLength: 4 };
  const as = (source: op.InitializerSource) =>
    weightAs(op.initializer("w", "float16", [2], source), "float32");
  assert.deepEqual(as({ ...place, storedAs: "float32" }).node, {
    kind: "initializer",
    name: "w:float32",
    source: place,
  });
  const brain = { ...half, storedAs: "bfloat16", scale: 2 } as const;
  assert.deepEqual(as(brain).node, { kind: "initializer", name: "w:float32", source: brain });
  for (const source of [half, { data: new Uint8Array(4) }]) {
    const { node, dtype } = as(source);
    assert.equal(node.kind === "op" && node.op.type, "Cast");
    assert.equal(dtype, "float32");
  }
  const same = op.initializer("w", "float32", [2], place);
  assert.equal(weightAs(same, "float32"), same);
});
