import assert from "node:assert/strict";
import * as op from "../../graph/mod.ts";

Deno.test("constant() takes its type from the data, and converts when told", () => {
  assert.deepEqual(op.constant(2).type, { dtype: "float32", shape: [] });
  assert.deepEqual(op.constant(2n).type, { dtype: "int64", shape: [] });
  assert.deepEqual(op.constant(new Int32Array(3)).type, { dtype: "int32", shape: [3] });
  assert.deepEqual(op.constant(new Float32Array(4), [2, 2], "float16").type, {
    dtype: "float16",
    shape: [2, 2],
  });
});

Deno.test("constant() refuses a shape of another size", () => {
  assert.throws(
    () => op.constant(new Float32Array(5), [2, 3]),
    /Cannot make a constant of shape \[2, 3\]: got 5 elements, expected 6/,
  );
});

Deno.test("initializer() refuses bytes that do not fit its shape", () => {
  const file = { file: "/w.safetensors", offset: 8, byteLength: 24 };
  assert.equal(op.initializer("w", "float32", [2, 3], file).dtype, "float32");
  assert.throws(
    () => op.initializer("w", "float32", [2, 4], file),
    /Cannot use w as float32 \[2, 4\]: got 24 bytes, expected 32/,
  );
  // as stored: 2 bytes an element
  const half = { ...file, byteLength: 12, storedAs: "float16" } as const;
  assert.equal(op.initializer("w", "float32", [2, 3], half).dtype, "float32");
});

Deno.test("operations refuse mixed element types and say what to do", () => {
  const x = op.input("x", "float32", [2]), y = op.input("y", "float16", [2]);
  assert.throws(() => op.add(x, y), (error) => {
    assert.ok(error instanceof TypeError);
    assert.match(error.message, /Cannot apply Add: .*float32 and float16.*cast\(\)/);
    return true;
  });
  assert.throws(() => op.where(x, x, x), TypeError);
  assert.throws(() => op.add(1, 2), TypeError);
  const i = op.input("i", "int64", [2]);
  assert.throws(() => op.exp(i), /Cannot apply Exp: got int64, expected float\. Convert with cast/);
  assert.throws(() => op.and(i, i), /Cannot apply And: got int64, expected bool/);
  assert.throws(() => op.where(i, x, x), /Cannot apply Where: got int64, expected bool/);
});

Deno.test("a number beside a tensor takes its element type", () => {
  const half = op.input("x", "float16", [2]);
  assert.equal(op.mul(half, 0.5).dtype, "float16");
  assert.equal(op.sub(1, half).dtype, "float16");
});

Deno.test("operations that would change nothing return their input", () => {
  const x = op.input("x", "float32", [2, 3]);
  assert.equal(op.reshape(x, [2, -1]), x);
  assert.equal(op.transpose(x, [0, 1]), x);
  assert.equal(op.expand(x, [2, 1]), x);
  assert.equal(op.cast(x, "float32"), x);
  assert.equal(op.slice(x, [0], [99]), x);
  assert.equal(op.pad(x, [[0, 0], [0, 0]]), x);
  assert.equal(op.concat([x], 0), x);
  assert.equal(op.split(x, 1, 0)[0], x);
});

Deno.test("shapes that do not fit are refused by name of the operation", () => {
  const x = op.input("x", "float32", [2, 4, 6, 6]);
  const w = op.input("w", "float32", [8, 3, 3, 3]);
  const cases: [string, () => unknown][] = [
    ["Conv", () => op.conv(x, w)],
    ["ConvTranspose", () => op.convTranspose(x, w)],
    ["MatMul", () => op.matMul(x, w)],
    ["Gemm", () => op.gemm(x, x)],
    ["linear", () => op.linear(x, w)],
    ["Reshape", () => op.reshape(x, [5, -1])],
    ["Reshape", () => op.reshape(x, [-1, -1])],
    ["Transpose", () => op.transpose(x, [0, 1, 2, 2])],
    ["Concat", () => op.concat([x, w], 1)],
    ["Split", () => op.split(x, [1, 2], 1)],
    ["Squeeze", () => op.squeeze(x, 0)],
    ["Pad", () => op.pad(x, [[1, 1]])],
    ["Pad", () => op.pad(x, [[0, 0], [0, 0], [0, 0], [0, -1]])],
    ["Tile", () => op.tile(x, [2])],
    ["GroupNormalization", () => op.groupNormalization(x, x, x, { groups: 3 })],
    ["LayerNormalization", () => op.layerNormalization(x, w)],
    ["MultiHeadAttention", () => op.multiHeadAttention(x, x, x, { heads: 2 })],
    ["Resize", () => op.resizeNearest(op.input("y", "float32", [2, 2]), [4, 4])],
    ["Conv", () => op.conv(op.slice(x, [0], [1], [3]), op.input("v", "float32", [1, 4, 3, 3]))],
  ];
  for (const [name, build] of cases) {
    assert.throws(build, (error) => error instanceof op.ShapeError && error.op === name, name);
  }
});

Deno.test("scope() names nest and end with an exception", () => {
  const x = op.input("x", "float32", []);
  const y = op.scope("a", () => op.scope("b", () => op.exp(x)));
  assert.equal(y.node.kind === "op" && y.node.scope, "a/b");
  assert.throws(() => op.scope("a", () => op.add(1, 2)));
  const z = op.exp(x);
  assert.equal(z.node.kind === "op" && z.node.scope, "");
});
