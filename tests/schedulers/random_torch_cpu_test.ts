import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { crc32 } from "node:zlib";
import golden from "../golden/random_torch_cpu.json" with { type: "json" };
import { TorchCpuGenerator, torchRandn } from "../../schedulers/random/torch_cpu.ts";

interface Packed {
  readonly count: number;
  readonly crc32: number;
  readonly data?: string;
  readonly head?: string;
  readonly tail?: string;
}

function bytes(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** Equal bits; the ends are compared first, for a readable difference. */
function assertSame(actual: Float32Array | Float64Array | Int32Array, want: Packed, what: string) {
  assert.equal(actual.length, want.count, what);
  const all = Buffer.from(bytes(actual));
  if (want.data !== undefined) {
    assert.equal(all.toString("hex"), Buffer.from(want.data, "base64").toString("hex"), what);
  } else {
    const head = Buffer.from(want.head!, "base64"), tail = Buffer.from(want.tail!, "base64");
    assert.equal(all.subarray(0, head.length).toString("hex"), head.toString("hex"), what);
    assert.equal(all.subarray(-tail.length).toString("hex"), tail.toString("hex"), what);
  }
  assert.equal(crc32(all), want.crc32, what);
}

Deno.test("torchRandn equals torch.randn bit for bit, for every size and seed", () => {
  assert.ok(golden.randn.length > 100);
  for (const want of golden.randn) {
    assertSame(torchRandn(BigInt(want.seed), want.count), want, `seed ${want.seed}, ${want.count}`);
  }
});

Deno.test("torchRandn has the numbers that everyone knows for seed 0", () => {
  const first = (count: number) =>
    [...torchRandn(0, count).subarray(0, 3)].map((x) => x.toFixed(4));
  assert.deepEqual(first(16), ["-1.1258", "-1.1524", "-0.2506"]);
  assert.deepEqual(first(6), ["1.5410", "-0.2934", "-2.1788"]);
});

Deno.test("TorchCpuGenerator stays in step with torch through calls of every kind", () => {
  const generator = new TorchCpuGenerator(7);
  golden.sequence.forEach((call, index) => {
    const [a = 0, b = 0, count = 0] = call.arguments;
    const result = {
      randn: () => generator.normal(a),
      rand: () => generator.uniform(a),
      randint: () => generator.integers(a, b, count),
      randperm: () => Int32Array.from(generator.permutation(a)),
    }[call.method]!();
    assertSame(result, call, `call ${index}: ${call.method}(${call.arguments})`);
  });
});

Deno.test("TorchCpuGenerator takes numbers and bigints alike and uses 32 bits of the seed", () => {
  assert.deepEqual(torchRandn(42, 20), torchRandn(42n, 20));
  assert.deepEqual(torchRandn(2 ** 32 + 42, 20), torchRandn(42, 20));
  assert.notDeepEqual(torchRandn(43, 20), torchRandn(42, 20));
});

Deno.test("TorchCpuGenerator refuses seeds that torch refuses, saying what it got", () => {
  assert.throws(() => new TorchCpuGenerator(1.5), /TypeError.*got 1\.5/);
  assert.throws(() => new TorchCpuGenerator(NaN), TypeError);
  assert.throws(() => new TorchCpuGenerator(2 ** 53), /bigint/);
  assert.throws(() => new TorchCpuGenerator(2n ** 64n), RangeError);
  assert.throws(() => new TorchCpuGenerator(-(2n ** 63n) - 1n), RangeError);
});

Deno.test("TorchCpuGenerator refuses counts and ranges that mean nothing", () => {
  const generator = new TorchCpuGenerator(0);
  assert.throws(() => generator.normal(-1), RangeError);
  assert.throws(() => generator.uniform(2.5), RangeError);
  assert.throws(() => generator.integers(5, 5, 1), RangeError);
  assert.throws(() => generator.permutation(2 ** 31), RangeError);
});
