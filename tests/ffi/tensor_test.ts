import assert from "node:assert/strict";
import type { DataOf, DType } from "../../ffi/dtype.ts";
import { Tensor } from "../../ffi/tensor.ts";
import { floats, model, ort } from "./fixtures.ts";

type Numeric = Exclude<DType, "string">;

const SAMPLES: { [D in Numeric]: DataOf<D> } = {
  float32: Float32Array.of(1.5, -0, Infinity),
  float64: Float64Array.of(1.5, 1e300, -1),
  float16: Float16Array.of(1.5, -2, 65504),
  bfloat16: Uint16Array.of(0x3f80, 0xbf80, 0),
  int8: Int8Array.of(-128, 0, 127),
  uint8: Uint8Array.of(0, 1, 255),
  int16: Int16Array.of(-32768, 0, 32767),
  uint16: Uint16Array.of(0, 1, 65535),
  int32: Int32Array.of(-(2 ** 31), 0, 2 ** 31 - 1),
  uint32: Uint32Array.of(0, 1, 2 ** 32 - 1),
  int64: BigInt64Array.of(-(2n ** 63n), 0n, 2n ** 63n - 1n),
  uint64: BigUint64Array.of(0n, 1n, 2n ** 64n - 1n),
  bool: Uint8Array.of(0, 1, 1),
};

for (const [dtype, data] of Object.entries(SAMPLES) as [Numeric, DataOf<Numeric>][]) {
  Deno.test(`${dtype} tensors go through ONNX Runtime unchanged`, async () => {
    using session = ort().createSession(model(`identity_${dtype}`));
    using x = Tensor.from(ort(), dtype, data, [3]);
    using y = (await session.run({ x }))["y"];
    assert.equal(x.data, data);
    assert.equal(y?.dtype, dtype);
    assert.deepEqual(y?.data, data);
  });
}

Deno.test("string tensors carry any text", async () => {
  const texts = ["", "größe", "a\0b", "x".repeat(1000), "🦕"];
  using session = ort().createSession(model("identity_string"));
  using x = Tensor.fromStrings(ort(), texts, [5]);
  using y = (await session.run({ x }))["y"];
  assert.deepEqual(y?.strings(), texts);
  assert.throws(() => y?.data, /dtype is string. Use strings/);
  assert.throws(() => floats([1]).strings(), /dtype is float32. Use data/);
});

Deno.test("float16 may be given as bits", () => {
  using session = ort().createSession(model("identity_float16"));
  using x = Tensor.from(ort(), "float16", Uint16Array.of(0x3e00), [1]);
  assert.deepEqual([...session.runSync({ x })["y"]?.data ?? []], [1.5]);
});

Deno.test("tensors without elements go through ONNX Runtime", () => {
  using session = ort().createSession(model("identity_float32"));
  using x = Tensor.from(ort(), "float32", new Float32Array(), [0]);
  using y = session.runSync({ x })["y"];
  assert.deepEqual([y?.shape, y?.data.length, y?.byteLength], [[0], 0, 0]);
  using strings = ort().createSession(model("identity_string"));
  using none = Tensor.fromStrings(ort(), [], [0]);
  assert.deepEqual(strings.runSync({ x: none })["y"]?.strings(), []);
});

Deno.test("scalars have the shape []", () => {
  using session = ort().createSession(model("scalar"));
  using y = session.runSync({ x: floats([3], []) })["y"];
  assert.deepEqual([y?.shape, y?.data[0]], [[], 9]);
});

Deno.test("Tensor.from() refuses a shape that does not fit, before C sees it", () => {
  const from = (shape: number[]) => () => Tensor.from(ort(), "float32", new Float32Array(4), shape);
  for (const shape of [[5], [2, 3], [], [2 ** 31, 2 ** 31], [0], [-2, -2], [0.5, 8], [NaN, 4]]) {
    assert.throws(from(shape), RangeError, `[${shape}]`);
  }
});

Deno.test("Tensor.from() refuses an array of the wrong kind", () => {
  const from = Tensor.from as (
    runtime: unknown,
    dtype: string,
    data: unknown,
    shape: number[],
  ) => void;
  assert.throws(
    () => from(ort(), "float32", new Int32Array(4), [4]),
    /got Int32Array, expected Float32/,
  );
  assert.throws(() => from(ort(), "float32", [1, 2], [2]), TypeError);
  assert.throws(() => from(ort(), "int64", null, [0]), TypeError);
  assert.throws(
    () => from(ort(), "float8", new Uint8Array(1), [1]),
    /dtype float8: it is not known/,
  );
});

Deno.test("Tensor.from() refuses memory that can move", () => {
  const movable = new Float32Array(new ArrayBuffer(16, { maxByteLength: 32 }));
  assert.throws(() => Tensor.from(ort(), "float32", movable, [4]), /resizable buffer/);
});

Deno.test("a tensor whose array was transferred away is refused", () => {
  using session = ort().createSession(model("identity_float32"));
  const array = new Float32Array(4);
  using x = Tensor.from(ort(), "float32", array, [4]);
  array.buffer.transfer();
  assert.throws(() => session.runSync({ x }), /was transferred away/);
});

Deno.test("Tensor.fromBytes() reads bytes at any alignment", () => {
  using session = ort().createSession(model("identity_float32"));
  const file = new Uint8Array(9);
  file.set(new Uint8Array(Float32Array.of(1, 2).buffer), 1);
  using x = Tensor.fromBytes(ort(), "float32", file.subarray(1), [2]);
  assert.deepEqual([...session.runSync({ x })["y"]?.data ?? []], [1, 2]);
  assert.equal(x.bytes.byteLength, 8);
  assert.throws(() => x.data, /not aligned; got offset 1, expected a multiple of 4/);
  assert.throws(() => Tensor.fromBytes(ort(), "float32", file, [2]), RangeError);
});

Deno.test("Tensor.empty() is ONNX Runtime's own memory to write into", () => {
  using session = ort().createSession(model("identity_float32"));
  using x = Tensor.empty(ort(), "float32", [2]);
  x.data.set([3, 4]);
  assert.deepEqual([...session.runSync({ x })["y"]?.data ?? []], [3, 4]);
  assert.throws(() => Tensor.empty(ort(), "float32", [2 ** 48]), { name: "OutOfMemoryError" });
  assert.throws(() => Tensor.empty(ort(), "float32", [2 ** 52, 2 ** 52]), RangeError);
});

Deno.test("disposing an output empties its array instead of leaving freed memory in it", () => {
  using session = ort().createSession(model("identity_float32"));
  const y = session.runSync({ x: floats([1, 2]) })["y"];
  assert.ok(y !== undefined);
  const { data } = y;
  assert.equal(data.length, 2);
  y.dispose();
  assert.equal(data.length, 0);
  assert.throws(() => y.data, { name: "DisposedError" });
});

Deno.test("disposing a tensor leaves the caller's array alone", () => {
  const array = Float32Array.of(1, 2);
  Tensor.from(ort(), "float32", array, [2]).dispose();
  assert.deepEqual([...array], [1, 2]);
});

Deno.test("an output's array may feed the next run, and keeps its memory", async () => {
  using session = ort().createSession(model("identity_float32"));
  const first = session.runSync({ x: floats([1, 2]) })["y"];
  assert.ok(first !== undefined);
  const again = Tensor.from(ort(), "float32", first.data as Float32Array, [2]);
  const running = session.run({ x: again });
  first.dispose();
  assert.deepEqual([...(await running)["y"]?.data ?? []], [1, 2]);
  assert.throws(() => session.runSync({ x: again }), /was transferred away/);
});
