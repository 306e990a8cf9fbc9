import assert from "node:assert/strict";
import { type Easing, legAt, legCount, positionOf } from "../../pipeline/walk_path.ts";

const EVENLY = { easing: "linear", loop: false } as const;
const positions = (frames: number, options: Partial<Parameters<typeof positionOf>[1]> = {}) =>
  Array.from(
    { length: frames },
    (_, i) => positionOf(i, { frames, legs: 1, ...EVENLY, ...options }),
  );

Deno.test("positionOf() puts frame i of n at i / (n - 1), and at i / n on a loop", () => {
  assert.deepEqual(positions(5), [0, 0.25, 0.5, 0.75, 1]);
  assert.deepEqual(positions(4, { loop: true, legs: 2 }), [0, 0.25, 0.5, 0.75]);
  assert.deepEqual(positions(1), [0]);
});

Deno.test("positionOf() eases every leg by itself: ends and stops stay where they are", () => {
  for (const easing of ["smooth", "in", "out"] as Easing[]) {
    const [a, b, c, d, e] = positions(5, { easing, legs: 2 });
    assert.deepEqual([a, c, e], [0, 0.5, 1], easing);
    assert.equal(d, b! + 0.5, easing);
  }
  assert.equal(positions(5, { easing: "in" })[1], 1 / 16);
  assert.equal(positions(5, { easing: "out" })[3], 15 / 16);
  assert.equal(positions(5, { easing: "smooth" })[1], 0.15625);
});

Deno.test("positionOf() never goes back, whatever the easing and the pace", () => {
  const pace = { at: (s: number) => s * s, shareAt: Math.sqrt };
  for (const easing of ["linear", "smooth", "in", "out"] as Easing[]) {
    const all = positions(50, { easing, legs: 3, pace });
    all.slice(1).forEach((t, i) => assert.ok(t >= all[i]!, `${easing} at ${i}`));
    assert.equal(all.at(-1), 1);
  }
});

Deno.test("legAt() finds the two stops and the share between them", () => {
  assert.deepEqual(legAt(0.5, 2, false), { from: 0, to: 1, share: 0.5 });
  assert.deepEqual(legAt(0.75, 3, false), { from: 1, to: 2, share: 0.5 });
  assert.deepEqual(legAt(1, 3, false), { from: 1, to: 2, share: 1 });
  assert.deepEqual(legAt(0.9, 1, true), { from: 0, to: 0, share: 0 });
});

Deno.test("legAt() leads from the last stop of a loop to the first", () => {
  assert.equal(legCount(4, true), 4);
  assert.deepEqual(legAt(0.875, 4, true), { from: 3, to: 0, share: 0.5 });
});
