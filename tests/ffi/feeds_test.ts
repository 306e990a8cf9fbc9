import assert from "node:assert/strict";
import { Runtime } from "../../ffi/runtime.ts";
import { Tensor } from "../../ffi/tensor.ts";
import { FakeOrt } from "../fakes/fake_ort.ts";
import { checkFeeds, checkInto, checkOutputs } from "../../ffi/feeds.ts";
import type { TensorInfo } from "../../ffi/tensor_info.ts";

const runtime = new Runtime(new FakeOrt().library);
const INPUTS: TensorInfo[] = [
  { name: "x", dtype: "float32", shape: ["N", 3] },
  { name: "t", dtype: "int64", shape: [1] },
];
const OPTIONAL: TensorInfo[] = [{ name: "b", dtype: "float32", shape: [3] }];
const OUTPUTS: TensorInfo[] = [{ name: "y", dtype: "float32", shape: ["N", 3] }];
const x = floats(6, [2, 3]);
const t = Tensor.from(runtime, "int64", new BigInt64Array(1), [1]);

function floats(n: number, shape: number[]) {
  return Tensor.from(runtime, "float32", new Float32Array(n), shape);
}

Deno.test("checkFeeds() accepts the inputs, with or without the optional ones", () => {
  assert.deepEqual(checkFeeds(INPUTS, OPTIONAL, { t, x }).map(([name]) => name), ["t", "x"]);
  assert.equal(checkFeeds(INPUTS, OPTIONAL, { t, x, b: floats(3, [3]) }).length, 3);
});

Deno.test("checkFeeds() names what is missing", () => {
  assert.throws(() => checkFeeds(INPUTS, [], { x }), (error: TypeError) => {
    assert.equal(error.name, "TypeError");
    assert.match(error.message, /missing: t; got x, expected x, t/);
    return true;
  });
});

Deno.test("checkFeeds() names what is unknown", () => {
  const feeds = { x, t, toString: x };
  assert.throws(() => checkFeeds(INPUTS, OPTIONAL, feeds), /no input toString; expected x, t, b/);
});

Deno.test("checkFeeds() does not take inherited names for feeds", () => {
  const named: TensorInfo[] = [{ name: "toString", dtype: "float32", shape: [] }];
  assert.throws(() => checkFeeds(named, [], {}), /missing: toString/);
});

Deno.test("checkFeeds() says which dtype it wants", () => {
  assert.throws(() => checkFeeds(INPUTS, [], { x: t, t }), (error: TypeError) => {
    assert.equal(error.name, "TypeError");
    assert.match(error.message, /input x.*got int64, expected float32/);
    return true;
  });
});

Deno.test("checkFeeds() says which shape it wants", () => {
  for (const bad of [floats(6, [3, 2]), floats(6, [6]), floats(6, [1, 2, 3])]) {
    assert.throws(() => checkFeeds(INPUTS, [], { x: bad, t }), (error: RangeError) => {
      assert.equal(error.name, "RangeError");
      assert.match(error.message, /input x.*expected \[N,3\]/);
      return true;
    });
  }
});

Deno.test("checkFeeds() refuses what is no tensor", () => {
  const feeds = { x: new Float32Array(6), t } as unknown as Record<string, Tensor>;
  assert.throws(() => checkFeeds(INPUTS, [], feeds), /input x: it is no Tensor/);
});

Deno.test("checkOutputs() refuses unknown names and none", () => {
  checkOutputs(OUTPUTS, ["y"]);
  assert.throws(() => checkOutputs(OUTPUTS, ["z"]), /no output z; expected some of y/);
  assert.throws(() => checkOutputs(OUTPUTS, []), /no output was asked for/);
});

Deno.test("checkInto() refuses memory that a run would both read and write", () => {
  const buffer = new Float32Array(12);
  const over = (start: number) =>
    Tensor.from(runtime, "float32", buffer.subarray(start, start + 6), [2, 3]);
  const two: TensorInfo[] = [...OUTPUTS, { name: "z", dtype: "float32", shape: [2, 3] }];
  checkInto(OUTPUTS, { y: over(6) }, [["x", over(0)]]);
  assert.throws(
    () => checkInto(OUTPUTS, { y: x }, [["x", x]]),
    /output y: it shares memory with x/,
  );
  assert.throws(() => checkInto(OUTPUTS, { y: over(5) }, [["x", over(0)]]), /shares memory with x/);
  assert.throws(() => checkInto(two, { y: over(0), z: over(1) }, []), /output z.*with y/);
  assert.throws(() => checkInto(OUTPUTS, { w: x }, []), /no output w/);
});

Deno.test("a session refuses a tensor of another runtime", () => {
  const other = new Runtime(new FakeOrt().library);
  using session = other.createSession(new Uint8Array([1]));
  const alien = Tensor.from(runtime, "float32", new Float32Array(1), [1]);
  assert.throws(() => session.runSync({ x: alien }), /belongs to another ONNX Runtime/);
});
