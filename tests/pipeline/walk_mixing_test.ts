import assert from "node:assert/strict";
import type { Conditioning } from "../../pipeline/text_conditioning.ts";
import { mixConditioning, mixNoise } from "../../pipeline/walk_mixing.ts";

const prompt = (...rows: number[][]): Conditioning => ({
  hiddenStates: Float32Array.from(rows.flat()),
  tokens: rows.length,
  width: rows[0]!.length,
  truncated: "",
});

Deno.test("mixNoise() keeps the length on an arc and cuts the corner on a line", () => {
  const x = Float32Array.of(3, 0), y = Float32Array.of(0, 3);
  const length = (v: Float32Array) => Math.hypot(...v);
  assert.ok(Math.abs(length(mixNoise("spherical", x, y, 0.25)) - 3) < 1e-6);
  assert.deepEqual([...mixNoise("linear", x, y, 0.5)], [1.5, 1.5]);
  for (const mixing of ["linear", "spherical"] as const) {
    assert.deepEqual(mixNoise(mixing, x, y, 0), x);
    assert.deepEqual(mixNoise(mixing, x, y, 1), y);
  }
});

Deno.test("mixConditioning() mixes token by token, spherically with each token's own angle", () => {
  const a = prompt([1, 0], [2, 0]), b = prompt([0, 1], [2, 0]);
  assert.deepEqual([...mixConditioning("linear", a, b, 0.25, a).hiddenStates], [0.75, 0.25, 2, 0]);
  const arc = mixConditioning("spherical", a, b, 0.5, a).hiddenStates;
  [Math.SQRT1_2, Math.SQRT1_2, 2, 0].forEach((value, i) =>
    assert.ok(Math.abs(arc[i]! - value) < 1e-6)
  );
});

Deno.test("mixConditioning() fills the shorter prompt up with the empty one", () => {
  const short = prompt([1], [1]), long = prompt([3], [3], [3], [3], [3]);
  const mixed = mixConditioning("linear", short, long, 0.5, prompt([7], [9]));
  assert.equal(mixed.tokens, 5);
  assert.deepEqual([...mixed.hiddenStates], [2, 2, 5, 6, 5]);
});

Deno.test("mixConditioning() mixes the pooled states where there are any", () => {
  const a = { ...prompt([1]), pooled: Float32Array.of(2) };
  const b = { ...prompt([1]), pooled: Float32Array.of(4) };
  assert.deepEqual([...mixConditioning("linear", a, b, 0.5, a).pooled!], [3]);
  assert.equal("pooled" in mixConditioning("linear", prompt([1]), prompt([2]), 0.5, a), false);
});
