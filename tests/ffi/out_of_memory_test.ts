import assert from "node:assert/strict";
import { ortError, OutOfMemoryError } from "../../ffi/errors.ts";
import { Tensor } from "../../ffi/tensor.ts";
import { toOnnx } from "../../graph/onnx_write.ts";
import { expand } from "../../graph/ops/movement.ts";
import { input } from "../../graph/value.ts";
import { floats, model, ort } from "./fixtures.ts";

const TOO_LARGE = [2 ** 21, 2 ** 22];

Deno.test("memory that no machine has is an OutOfMemoryError, and the session lives on", async () => {
  const x = input("x", "float32", [1, 1]);
  const { bytes } = toOnnx({ inputs: [x], outputs: { y: expand(x, TOO_LARGE) } });
  using session = ort().createSession(bytes, { optimization: "disabled" });
  for (let i = 0; i < 2; i++) {
    await assert.rejects(session.run({ x: floats([1], [1, 1]) }), {
      name: "OutOfMemoryError",
      operation: "Run",
      requestedBytes: 4 * TOO_LARGE[0]! * TOO_LARGE[1]!,
    });
  }
  assert.throws(() => Tensor.empty(ort(), "float32", TOO_LARGE), OutOfMemoryError);
  using other = ort().createSession(model("linear"));
  assert.ok((await other.run({ x: floats([1, 2, 3], [1, 3]) })).y);
});

Deno.test("OutOfMemoryError says what was asked for, and what needs less", () => {
  const said = "Available memory of 1024 is smaller than requested bytes of 2500000000";
  const error = ortError(1, "Run", said);
  assert.ok(error instanceof OutOfMemoryError);
  assert.equal(
    error.message,
    "Cannot Run: there is not enough memory; got a request of 2.50 GB. " +
      "Smaller pictures, smaller batches and half precision need less.",
  );
  assert.equal(error.detail, said);
  assert.ok(!(ortError(1, "Run", "CUDA failure 700") instanceof OutOfMemoryError));
  assert.ok(ortError(1, "Run", "CUDA failure 2: out of memory") instanceof OutOfMemoryError);
});
