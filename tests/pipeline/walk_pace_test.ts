import assert from "node:assert/strict";
import { Image } from "../../pipeline/image.ts";
import { measurePace, paceOf, pictureChange } from "../../pipeline/walk_pace.ts";

/** A gray picture. */
const gray = (value: number, side = 2) =>
  new Image(side, side, new Uint8ClampedArray(3 * side * side).fill(value));

Deno.test("pictureChange() is the root mean square of the differences", () => {
  assert.equal(pictureChange(gray(10), gray(14)), 4);
  assert.equal(pictureChange(gray(10, 256), gray(14, 256)), 4);
});

Deno.test("paceOf() goes as slowly as the picture changes fast", () => {
  const pace = paceOf([0, 0.5, 1], [3, 1]);
  assert.equal(pace.at(0.75), 0.5);
  assert.equal(pace.at(0.375), 0.25);
  assert.equal(pace.shareAt(0.5), 0.75);
  assert.deepEqual([pace.at(0), pace.at(1), pace.shareAt(1)], [0, 1, 1]);
});

Deno.test("paceOf() crosses what does not change, and is even where nothing does", () => {
  const pace = paceOf([0, 0.5, 1], [0, 1]);
  assert.ok(pace.at(0.01) > 0 && pace.shareAt(0.5) > 0);
  assert.equal(paceOf([0, 0.5, 1], [0, 0]).at(0.3), 0.3);
});

Deno.test("measurePace() looks closer where the picture changes, and finds the even steps", async () => {
  const asked: number[] = [];
  // Everything happens in the last quarter.
  const draw = (t: number) => {
    asked.push(t);
    return Promise.resolve(gray(Math.max(0, t - 0.75) * 800));
  };
  const pace = await measurePace(draw, { legs: 1, pilots: 9 });
  assert.equal(asked.length, 9);
  assert.ok(asked.filter((t) => t >= 0.75).length >= 5, asked.join(" "));
  assert.ok(Math.abs(pace.at(0.5) - 0.875) < 0.03, String(pace.at(0.5)));
});
