import assert from "node:assert/strict";
import golden from "../golden/random_others.json" with { type: "json" };
import {
  etaNoiseSeed,
  type NoiseShape,
  resizedNoise,
  slerp,
  variationNoise,
} from "../../schedulers/random/mix.ts";
import { torchRandn } from "../../schedulers/random/torch_cpu.ts";

const low = Float32Array.from(golden.mix.low), high = Float32Array.from(golden.mix.high);
const shape = golden.mix.shape as unknown as NoiseShape;

function assertClose(actual: Float32Array, want: readonly number[]) {
  assert.equal(actual.length, want.length);
  actual.forEach((x, i) =>
    assert.ok(Math.abs(x - want[i]!) <= 2e-6, `${i}: ${x}, want ${want[i]}`)
  );
}

Deno.test("slerp goes along the arc of whole tensors", () => {
  for (const { t, noise } of golden.mix.slerp) assertClose(slerp(low, high, t), noise);
});

Deno.test("slerp keeps the length of noise where a straight line shortens it", () => {
  const a = torchRandn(1, 4096), b = torchRandn(2, 4096);
  const deviation = (x: Float32Array) => Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / x.length);
  assert.ok(Math.abs(deviation(slerp(a, b, 0.5)) - 1) < 0.02);
  assert.ok(deviation(a.map((x, i) => (x + b[i]!) / 2)) < 0.75);
});

Deno.test("slerp of equal and of zero tensors is what both are", () => {
  assertClose(slerp(low, low, 0.4), [...low]);
  assert.deepEqual(slerp(new Float32Array(3), new Float32Array(3), 0.5), new Float32Array(3));
  assert.throws(() => slerp(low, high.subarray(1), 0.5), /RangeError.*got 60 and 59/);
});

Deno.test("variationNoise turns columns as A1111 does", () => {
  for (const { strength, noise } of golden.mix.variation) {
    assertClose(variationNoise(low, high, strength, shape), noise);
  }
  assertClose(variationNoise(low, low, 0.3, shape), [...low]);
  assert.throws(() => variationNoise(low, high, 0.5, [3, 5, 5]), RangeError);
});

Deno.test("resizedNoise lays a smaller noise into the middle and cuts a larger one", () => {
  const wide: NoiseShape = [1, 3, 4], small: NoiseShape = [1, 1, 2];
  const twelve = Float32Array.from({ length: 12 }, (_, i) => i), two = Float32Array.of(100, 101);
  const laid = resizedNoise(twelve, wide, two, small);
  assert.deepEqual([...laid], [0, 1, 2, 3, 4, 100, 101, 7, 8, 9, 10, 11]);
  assert.deepEqual([...resizedNoise(two, small, twelve, wide)], [5, 6]);
  assert.deepEqual([...twelve], [...Array(12).keys()]);
  assert.throws(() => resizedNoise(two, small, two, wide), RangeError);
});

Deno.test("etaNoiseSeed shifts the seed, and a zero shift means the first generator goes on", () => {
  assert.equal(etaNoiseSeed(42n, 31337), 31379n);
  assert.equal(etaNoiseSeed(42n, 0), undefined);
});
