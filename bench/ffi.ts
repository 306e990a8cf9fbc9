// What does one call into ONNX Runtime cost? The model is one Add of 2x2, so nearly all is overhead.
//
//     deno bench -A bench/ffi.ts

import { openRuntime } from "../ffi/runtime.ts";
import { Tensor } from "../ffi/tensor.ts";

const runtime = openRuntime();
const model = Deno.readFileSync(new URL("../tests/golden/onnx/add.onnx", import.meta.url));
const session = runtime.createSession(model, { intraOpThreads: 1 });
const numbers = () => Tensor.from(runtime, "float32", new Float32Array(4), [2, 2]);
const left = numbers(), right = numbers(), sum = numbers();
const binding = session.bind().bindInput("left", left).bindInput("right", right)
  .bindOutput("sum", sum);

Deno.bench("runSync, fresh output", () => {
  session.runSync({ left, right })["sum"]?.dispose();
});

Deno.bench("runSync, preallocated output", () => {
  session.runSync({ left, right }, { into: { sum } });
});

Deno.bench("runSync of a binding", () => {
  binding.runSync();
});

Deno.bench("run, fresh output", async () => {
  (await session.run({ left, right }))["sum"]?.dispose();
});

Deno.bench("run, preallocated output", async () => {
  await session.run({ left, right }, { into: { sum } });
});

Deno.bench("run of a binding", async () => {
  await binding.run();
});

Deno.bench("make and dispose a tensor", () => {
  numbers().dispose();
});
