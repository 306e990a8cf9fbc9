import assert from "node:assert/strict";
import {
  add,
  initializer,
  input,
  matMul,
  mul,
  reshape,
  softmax,
  toOnnx,
  type Value,
} from "../../graph/mod.ts";
import { partition } from "../../graph/partition.ts";
import { type Feed, runModel } from "./run_graph.ts";

/** A weight of four numbers in the model file. */
function weight(name: string, first: number): Value {
  const data = new Uint8Array(new Float32Array([first, 2, -1, 0.5]).buffer);
  return initializer(name, "float32", [2, 2], { data });
}

/** A residual network of five weights with two results, one of them made half way. */
function network(): { x: Value; outputs: Record<string, Value> } {
  const x = input("x", "float32", [2, 2]);
  let h = x, middle = x;
  for (let i = 0; i < 5; i++) {
    const w = weight(`w${i}`, i);
    // The weight is used again as a view, which is no reason to cut.
    h = add(softmax(matMul(h, w)), mul(h, reshape(reshape(w, [4]), [2, 2])));
    if (i === 2) middle = h;
  }
  return { x, outputs: { end: add(h, middle), middle } };
}

const feed = { data: new Float32Array([1, 2, 3, 4]), shape: [2, 2], dtype: "float32" } as const;

for (const [bytes, count] of [[16, 5], [40, 3], [1000, 1]] as const) {
  Deno.test(`partition into ${count} parts computes what the whole does`, () => {
    const { x, outputs } = network();
    const whole = runModel(toOnnx({ inputs: [x], outputs }).bytes, { x: feed });
    const parts = partition(outputs, bytes);
    assert.equal(parts.length, count);
    const made: Record<string, Feed & { dtype: "float32" }> = { x: feed };
    for (const part of parts) {
      const results = runModel(toOnnx(part).bytes, made);
      for (const [name, { data, shape }] of Object.entries(results)) {
        made[name] = { data: Float32Array.from(data), shape, dtype: "float32" };
      }
    }
    for (const name of ["end", "middle"]) {
      assert.deepEqual([...made[name]!.data], whole[name]!.data, name);
    }
  });
}

Deno.test("partition declares weights as stored and converts them in their part", () => {
  const place = { file: "/a", offset: 8, byteLength: 8, storedAs: "float16" } as const;
  const x = input("x", "float32", [2, 2]), w = initializer("w", "float32", [2, 2], place);
  const [part] = partition({ y: matMul(x, w) }, 1000);
  const used = part!.outputs.y!.node;
  assert.ok(used.kind === "op");
  const cast = used.inputs[1]!.node;
  assert.ok(cast.kind === "op" && cast.op.type === "Cast");
  assert.equal(cast.inputs[0]!.dtype, "float16");
  assert.deepEqual(part!.inputs, [x]);
});
