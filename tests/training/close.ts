import assert from "node:assert/strict";

/** Asserts that numbers agree within `tolerance`, relative to the largest expected one from 1 on. */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what: string,
): void {
  assert.equal(actual.length, expected.length, `${what}: how many`);
  const size = Math.max(1, ...Array.from(expected, Math.abs));
  const worst = Math.max(...Array.from(expected, (value, i) => Math.abs(value - actual[i]!)));
  assert.ok(worst <= tolerance * size, `${what}: off by ${worst}, allowed ${tolerance * size}`);
}
