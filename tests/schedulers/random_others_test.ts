import assert from "node:assert/strict";
import golden from "../golden/random_others.json" with { type: "json" };
import { BrownianNoise, BrownianTree } from "../../schedulers/random/brownian.ts";
import { NumpyRandomState } from "../../schedulers/random/numpy.ts";
import { philox4x32, TorchCudaGenerator } from "../../schedulers/random/philox.ts";
import { seedSequence } from "../../schedulers/random/seed_sequence.ts";

function assertClose(
  actual: Float32Array,
  want: readonly number[],
  tolerance: number,
  what: string,
) {
  assert.equal(actual.length, want.length, what);
  actual.forEach((x, i) => {
    const limit = tolerance * Math.max(1, Math.abs(want[i]!));
    assert.ok(Math.abs(x - want[i]!) <= limit, `${what}, element ${i}: got ${x}, want ${want[i]}`);
  });
}

Deno.test("NumpyRandomState equals numpy.random.RandomState.randn, also across calls", () => {
  for (const { seed, calls } of golden.numpyRandn) {
    const state = new NumpyRandomState(seed);
    for (const want of calls) assert.deepEqual([...state.normal(want.length)], want);
  }
});

Deno.test("NumpyRandomState refuses seeds that NumPy refuses", () => {
  assert.throws(() => new NumpyRandomState(-1), /RangeError.*got -1/);
  assert.throws(() => new NumpyRandomState(2 ** 32), RangeError);
});

Deno.test("seedSequence equals numpy.random.SeedSequence", () => {
  for (const { entropy, state, ...options } of golden.seedSequence) {
    assert.deepEqual([...seedSequence(7, { entropy: BigInt(entropy), ...options })], state);
  }
  assert.deepEqual(seedSequence(2, { entropy: 9 }), seedSequence(2, { entropy: 9n, poolSize: 4 }));
  assert.throws(() => seedSequence(1, { entropy: -1 }), RangeError);
  assert.throws(() => seedSequence(1, { entropy: 0.5 }), RangeError);
});

Deno.test("philox4x32 gives the known answers of Random123", () => {
  const all = 0xffffffff;
  const hex = (words: number[]) => words.map((word) => word.toString(16)).join(" ");
  assert.equal(hex(philox4x32([0, 0, 0, 0], [0, 0])), "6627e8d5 e169c58d bc57ac4c 9b00dbd8");
  assert.equal(
    hex(philox4x32([all, all, all, all], [all, all])),
    "408f276d 41c83b0e a20bc7c6 6d5451fd",
  );
  assert.equal(
    hex(philox4x32([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0])),
    "d16cfe09 94fdcceb 5001e420 24126ea1",
  );
});

Deno.test("TorchCudaGenerator gives the numbers that a GPU gave for seed 0", () => {
  const want = [-0.92466259, -0.42534415, -2.6438457, 0.14518388, -0.12086647, -0.57972564];
  assertClose(new TorchCudaGenerator(0).normal(6), want, 5e-7, "seed 0");
});

Deno.test("TorchCudaGenerator advances between calls and reuses threads on a small GPU", () => {
  for (const { seed, threads, calls } of golden.cuda) {
    const generator = new TorchCudaGenerator(BigInt(seed), { threads });
    calls.forEach((want, k) =>
      assertClose(generator.normal(want.length), want, 2e-6, `seed ${seed}, call ${k}`)
    );
  }
  assert.throws(() => new TorchCudaGenerator(0, { threads: 100 }), RangeError);
});

Deno.test("BrownianNoise equals diffusers' BrownianTreeNoiseSampler bit for bit", () => {
  for (const { seed, questions, ...path } of golden.brownian) {
    const noise = new BrownianNoise({ ...path, seed: BigInt(seed) });
    for (const { sigma, next, noise: want } of questions) {
      assert.deepEqual([...noise.between(sigma, next)], want, `seed ${seed}, ${sigma} to ${next}`);
    }
  }
});

Deno.test("BrownianTree equals torchsde.BrownianTree bit for bit, in any order of questions", () => {
  for (const { seed, questions, ...path } of golden.brownian) {
    const tree = new BrownianTree({ ...path, seed: BigInt(seed) });
    for (const { sigma, next, increment } of questions.toReversed()) {
      const got = tree.increment(Math.min(sigma, next), Math.max(sigma, next));
      assert.deepEqual([...got], increment, `seed ${seed}, ${sigma} to ${next}`);
      assert.deepEqual(tree.increment(next, sigma).map((x) => -x), tree.increment(sigma, next));
    }
  }
});

Deno.test("BrownianTree's increments add up over neighbouring intervals", () => {
  const tree = new BrownianTree({ from: 0, to: 4, seed: 1, size: 50 });
  const [a, b, whole] = [
    tree.increment(0.3, 1.7),
    tree.increment(1.7, 3.9),
    tree.increment(0.3, 3.9),
  ];
  assertClose(a.map((x, i) => x + b[i]!), [...whole], 1e-5, "sum");
  assert.deepEqual(tree.increment(2, 2), new Float32Array(50));
});

Deno.test("BrownianTree refuses a path without length", () => {
  assert.throws(() => new BrownianTree({ from: 1, to: 1, seed: 0, size: 4 }), RangeError);
  assert.throws(() => new BrownianTree({ from: 0, to: NaN, seed: 0, size: 4 }), RangeError);
  const noise = new BrownianNoise({ from: 0, to: 1, seed: 0, size: 4 });
  assert.throws(() => noise.between(0.5, 0.5), RangeError);
});
