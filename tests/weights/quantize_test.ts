import assert from "node:assert/strict";
import {
  INT4_BLOCK,
  int4Scales,
  int4Values,
  int8Scales,
  int8Values,
} from "../../weights/quantize.ts";

/** Numbers that repeat nowhere; the last output is all zeros. */
function weightOf(shape: readonly number[]): Float32Array {
  const count = shape.reduce((a, b) => a * b, 1);
  const last = count - count / shape[0]!;
  return Float32Array.from({ length: count }, (_, i) => i < last ? Math.sin(i * i + 1) : 0);
}

Deno.test("int8Values() times their scales are within half a step, channels after places", () => {
  const shape = [70, 3, 2, 2], weight = weightOf(shape), inner = 12;
  for (const limit of [127, 64]) {
    const scales = int8Scales(weight, shape, limit), values = int8Values(weight, shape, scales);
    assert.equal(values.reduce((most, v) => Math.max(most, Math.abs(v)), 0), limit);
    for (let o = 0; o < 70; o++) {
      for (let c = 0; c < 3; c++) {
        for (let place = 0; place < 4; place++) {
          const got = values[(place * 3 + c) * 70 + o]! * scales[o]!;
          const error = Math.abs(got - weight[o * inner + c * 4 + place]!);
          assert.ok(error <= 0.5001 * scales[o]!, `${o} ${c} ${place}: ${error}`);
        }
      }
    }
  }
});

Deno.test("int4Values() times their scales are within a step, exact where a block is largest", () => {
  const shape = [5, 16, 2, 2], weight = weightOf(shape), inner = 64;
  const scales = int4Scales(weight, shape), values = int4Values(weight, shape, scales);
  assert.equal(scales.length, 5 * inner / INT4_BLOCK);
  for (let block = 0; block < scales.length; block++) {
    let most = 0, errorOfMost = 0;
    for (let j = 0; j < INT4_BLOCK; j++) {
      const i = block * INT4_BLOCK + j, output = Math.floor(i / inner), at = i % inner;
      const half = (values[i >> 1]! >> (4 * (i & 1))) & 15;
      const original = weight[output * inner + (at % 16) * 4 + Math.floor(at / 16)]!;
      const error = Math.abs((half - 8) * scales[block]! - original);
      assert.ok(error <= 1.0001 * Math.abs(scales[block]!), `${i}: ${error}`);
      if (Math.abs(original) > most) [most, errorOfMost] = [Math.abs(original), error];
    }
    assert.ok(errorOfMost < 1e-6, `block ${block}: ${errorOfMost}`);
  }
  assert.throws(() => int4Scales(new Float32Array(80), [2, 40]), {
    name: "RangeError",
    message: /\[2,40\]: got rows of 40, expected a multiple of 32/,
  });
});
