import assert from "node:assert/strict";
import { Tensor } from "../../ffi/tensor.ts";
import { floats, model, ort } from "./fixtures.ts";

Deno.test("IoBinding runs over bound tensors and gives fresh ones for memory", async () => {
  using session = ort().createSession(model("linear"));
  const x = floats([1, 2, 3], [1, 3]);
  const y = Tensor.from(ort(), "float32", new Float32Array(2), [1, 2]);
  using binding = session.bind();
  binding.bindInput("x", x).bindOutput("twice", { name: "Cpu" }).bindOutput("y", y);
  await binding.run();
  const first = binding.outputs();
  assert.equal(first["y"], y);
  assert.deepEqual([...y.data], [26, 42]);
  assert.deepEqual([...first["twice"]?.data ?? []], [2, 4, 6]);

  x.data.set([0, 0, 1]);
  binding.runSync();
  binding.synchronizeInputs();
  binding.synchronizeOutputs();
  assert.deepEqual([...y.data], [14, 25]);
  assert.deepEqual([...binding.outputs()["twice"]?.data ?? []], [0, 0, 2]);
  assert.deepEqual([...first["twice"]?.data ?? []], [2, 4, 6], "the first result is left alone");
});

Deno.test("IoBinding binds again, and forgets what was bound", () => {
  using session = ort().createSession(model("linear"));
  using binding = session.bind();
  binding.bindInput("x", floats([1, 1, 1], [1, 3])).bindOutput("twice", { name: "Cpu" });
  binding.runSync();
  binding.bindInput("x", floats([2, 2, 2, 3, 3, 3], [2, 3]));
  binding.runSync();
  assert.deepEqual(binding.outputs()["twice"]?.shape, [2, 3]);
  binding.clear();
  assert.throws(() => binding.runSync(), /inputs are not bound: x/);
  binding.bindInput("x", floats([1, 1, 1], [1, 3]));
  assert.throws(() => binding.runSync(), /no output is bound/);
});

Deno.test("IoBinding checks tensors before C sees them", () => {
  using session = ort().createSession(model("linear"));
  using binding = session.bind();
  const x = floats([1, 2, 3], [1, 3]);
  assert.throws(() => binding.bindInput("z", x), /no input z/);
  assert.throws(() => binding.bindInput("x", floats([1, 2], [1, 2])), RangeError);
  assert.throws(() => binding.bindOutput("z", { name: "Cpu" }), /none of that name/);
  assert.throws(() => binding.bindOutput("y", x), RangeError);
  assert.throws(() => binding.bindOutput("y", { name: "Atlantis" }), { name: "OrtError" });
  binding.bindInput("x", x);
  assert.throws(() => binding.bindOutput("twice", x), /shares memory with x/);
});

Deno.test("IoBinding refuses a bound tensor that was disposed", () => {
  using session = ort().createSession(model("linear"));
  const x = floats([1, 2, 3], [1, 3]);
  using binding = session.bind().bindInput("x", x).bindOutput("y", { name: "Cpu" });
  x.dispose();
  assert.throws(() => binding.runSync(), { name: "DisposedError", what: "Tensor" });
});

Deno.test("a binding's run holds memory that a bound tensor only borrows", async () => {
  using session = ort().createSession(model("linear"));
  const owner = Tensor.empty(ort(), "float32", [1, 3]);
  owner.data.set([1, 2, 3]);
  const borrowed = Tensor.from(ort(), "float32", owner.data as Float32Array, [1, 3]);
  using binding = session.bind().bindInput("x", borrowed).bindOutput("y", { name: "Cpu" });
  const running = binding.run();
  borrowed.dispose();
  owner.dispose();
  await running;
  assert.deepEqual([...binding.outputs()["y"]?.data ?? []], [26, 42]);
});
