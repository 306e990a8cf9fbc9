import assert from "node:assert/strict";
import {
  add,
  gelu,
  identity,
  initializer,
  input,
  matMul,
  reachable,
  relu,
  silu,
  toOnnx,
  withoutContrib,
} from "../../graph/mod.ts";
import { withStoredWeights } from "../../graph/stored_weights.ts";
import { buildCase, elements, goldenCases } from "./golden_cases.ts";
import { type Feed, runModel } from "./run_graph.ts";

/** Golden cases in which ONNX Runtime's own operators are used. */
const CONTRIB = Object.keys(goldenCases).filter((name) =>
  reachable(buildCase(name, "fused").outputs).some(({ op }) => op.domain !== undefined)
);

Deno.test("there are cases of every contrib operator that is fused", () => {
  const used = CONTRIB.flatMap((name) => reachable(buildCase(name, "fused").outputs));
  const types = new Set(used.filter(({ op }) => op.domain).map(({ op }) => op.type));
  assert.deepEqual([...types].sort(), ["FusedMatMul", "MultiHeadAttention", "QuickGelu"]);
});

for (const name of CONTRIB) {
  Deno.test(`withoutContrib() of ${name} computes the same by the standard's operators`, () => {
    const { inputs, outputs } = buildCase(name, "fused");
    const named = Object.fromEntries(outputs.map((value, i) => [`output${i}`, value]));
    const expanded = withoutContrib(named);
    const nodes = reachable(Object.values(expanded));
    assert.deepEqual(nodes.filter(({ op }) => op.domain !== undefined), []);
    const feeds = Object.fromEntries(
      goldenCases[name]!.inputs.map((
        tensor,
        i,
      ) => [`input${i}`, { ...tensor, data: elements(tensor) }]),
    );
    const whole = runModel(toOnnx({ inputs, outputs: named }).bytes, feeds);
    const other = runModel(toOnnx({ inputs, outputs: expanded }).bytes, feeds);
    for (const [key, { shape, data }] of Object.entries(whole)) {
      assert.deepEqual(other[key]!.shape, shape);
      data.forEach((value, i) => {
        assert.ok(Math.abs(value - other[key]!.data[i]!) <= 1e-5 * (1 + Math.abs(value)), key);
      });
    }
  });
}

Deno.test("withoutContrib() leaves alone what does not come after a contrib operator", () => {
  const x = input("x", "float32", [2, 2]), before = relu(x), other = gelu(before);
  const after = identity(silu(before));
  const found = withoutContrib({ other, after, again: after });
  assert.equal(found.other, other);
  assert.notEqual(found.after, after);
  assert.equal(found.again, found.after);
  assert.ok(reachable([found.after!]).includes(before.node as never));
});

Deno.test("withStoredWeights() converts in the graph what its file has in another type", async () => {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeFile(file, new Uint8Array(new Float16Array([1, 2, 3, 0.5]).buffer));
    const half = { file: await Deno.realPath(file), offset: 0, byteLength: 8 };
    const w = initializer("w", "float32", [2, 2], { ...half, storedAs: "float16" });
    const same = initializer("same", "float32", [2, 2], {
      data: new Uint8Array(new Float32Array([1, 0, 0, 1]).buffer),
    });
    const x = input("x", "float32", [2, 2]), y = add(matMul(x, w), same);
    const outputs = withStoredWeights({ y });
    const model = toOnnx({ inputs: [x], outputs });
    assert.deepEqual(model.initializers, [], "nothing has to be supplied in another type");
    const feed: Feed = { data: new Float32Array([1, 0, 0, 1]), shape: [2, 2] };
    const config = {
      "session.model_external_initializers_file_folder_path": model.externalRoot!,
    };
    const { y: result } = runModel(model.bytes, { x: { ...feed, dtype: "float32" } }, { config });
    assert.deepEqual(result!.data, [2, 2, 3, 1.5]);
    assert.equal(toOnnx({ inputs: [x], outputs: { y } }).initializers.length, 1);
  } finally {
    await Deno.remove(file);
  }
});
