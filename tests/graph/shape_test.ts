import assert from "node:assert/strict";
import {
  addDims,
  axisOf,
  broadcastShapes,
  divideSizes,
  elementCount,
  fixed,
  ShapeError,
} from "../../graph/shape.ts";

Deno.test("broadcastShapes() aligns at the end and stretches ones", () => {
  assert.deepEqual(broadcastShapes("Add", [2, 1, 3], [4, 1]), [2, 4, 3]);
  assert.deepEqual(broadcastShapes("Add", [], [5]), [5]);
  assert.deepEqual(broadcastShapes("Where", [3], [2, 1], []), [2, 3]);
});

Deno.test("broadcastShapes() keeps a symbol against one and itself", () => {
  assert.deepEqual(broadcastShapes("Add", ["batch", 4], [1, 4]), ["batch", 4]);
  assert.deepEqual(broadcastShapes("Add", ["batch", 4], ["batch", 1]), ["batch", 4]);
  assert.deepEqual(broadcastShapes("Add", ["batch"], [7]), [7]);
});

Deno.test("broadcastShapes() names the operation, the shapes and the sizes that clash", () => {
  assert.throws(() => broadcastShapes("Mul", [2, 3], [4, 3]), (error) => {
    assert.ok(error instanceof ShapeError);
    assert.equal(error.op, "Mul");
    assert.deepEqual(error.shapes, [[2, 3], [4, 3]]);
    assert.match(error.message, /^Cannot apply Mul to \[2, 3\] and \[4, 3\]: 2 and 4 do not/);
    return true;
  });
  assert.throws(() => broadcastShapes("Add", ["a"], ["b"]), ShapeError);
});

Deno.test("axisOf() counts from the end and refuses what is outside", () => {
  assert.equal(axisOf("Softmax", [2, 3, 4], -1), 2);
  for (const axis of [3, -4, 0.5]) {
    assert.throws(() => axisOf("Softmax", [2, 3, 4], axis), /there is no axis .*give -3\.\.2/);
  }
});

Deno.test("fixed() refuses a symbolic size", () => {
  assert.equal(fixed("Conv", [1, 4], 1), 4);
  assert.throws(() => fixed("Conv", ["batch", 4], 0), /axis 0 must be a number .* got batch/);
});

Deno.test("elementCount() multiplies numbers and names the rest", () => {
  assert.equal(elementCount([]), 1);
  assert.equal(elementCount([2, 0, 3]), 0);
  assert.equal(elementCount(["batch", 2, 3]), "6*batch");
  assert.equal(elementCount(["batch", 1]), "batch");
});

Deno.test("divideSizes() cancels symbols", () => {
  assert.equal(divideSizes(["batch", 4096, 8], ["batch", 8]), 4096);
  assert.equal(divideSizes(["batch", 4096], [64]), "64*batch");
  assert.equal(divideSizes(["64*batch"], ["batch"]), 64);
  assert.equal(divideSizes([6], [4]), undefined);
  assert.equal(divideSizes([6], ["batch"]), undefined);
});

Deno.test("addDims() adds numbers and names sums of symbols", () => {
  assert.equal(addDims([2, 3]), 5);
  assert.equal(addDims(["a", 0]), "a");
  assert.equal(addDims(["a", 2, 1]), "(a+3)");
});
