import assert from "node:assert/strict";
import * as op from "../../graph/mod.ts";
import type { Value } from "../../graph/mod.ts";
import { runGraph } from "./run_graph.ts";

const floats = (...data: number[]) => ({ data: Float32Array.from(data), shape: [data.length] });

/** Runs values of one input vector. */
function evaluate(x: Value, at: number[], outputs: Record<string, Value>) {
  const results = runGraph(outputs, [[x, floats(...at)]]);
  return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, data]));
}

Deno.test("grad() adds up over a value that is used twice", () => {
  const x = op.input("x", "float32", [3]);
  const y = op.mul(x, x);
  const [g] = op.grad(op.reduceSum(op.add(y, op.mul(y, x))), [x]); // x^2 + x^3
  assert.deepEqual(evaluate(x, [1, 2, -1], { g: g! }).g, [5, 16, 1]);
});

Deno.test("grad() sums over what was broadcast", () => {
  const x = op.input("x", "float32", [3]);
  const column = op.constant(Float32Array.of(1, 2), [2, 1]);
  const [g] = op.grad(op.reduceSum(op.mul(column, x)), [x]);
  assert.deepEqual(g!.shape, [3]);
  assert.deepEqual(evaluate(x, [7, 8, 9], { g: g! }).g, [3, 3, 3]);
});

Deno.test("grad() of an intermediate value, and of one that leads to another", () => {
  const x = op.input("x", "float32", [2]);
  const h = op.exp(x);
  const [gx, gh] = op.grad(op.reduceSum(op.mul(h, 3)), [x, h]);
  const { gx: atX, gh: atH } = evaluate(x, [0, 0], { gx: gx!, gh: gh! });
  assert.deepEqual(atH, [3, 3]);
  assert.deepEqual(atX, [3, 3]);
});

Deno.test("grad() is zero where the output does not depend on the value", () => {
  const x = op.input("x", "float32", [2]), unused = op.input("unused", "float32", [2, 3]);
  const [g, gFloor] = op.grad(op.reduceSum(op.floor(x)), [unused, x]);
  assert.deepEqual(g!.shape, [2, 3]);
  const { gFloor: zero } = evaluate(x, [0.5, 1.5], { gFloor: gFloor! });
  assert.deepEqual(zero, [0, 0]);
});

Deno.test("grad() needs a cotangent for what is not a scalar", () => {
  const x = op.input("x", "float32", [2]);
  assert.throws(() => op.grad(op.exp(x), [x]), /not a scalar needs a cotangent/);
  const wrong = op.constant(Float32Array.of(1));
  assert.throws(() => op.grad(op.exp(x), [x], [wrong]), /a cotangent has its output's shape/);
  const [g] = op.grad(op.mul(x, x), [x], [op.constant(Float32Array.of(1, 10))]);
  assert.deepEqual(evaluate(x, [3, 3], { g: g! }).g, [6, 60]);
});

Deno.test("grad() of a grad is the second derivative", () => {
  const x = op.input("x", "float32", [2]);
  const [first] = op.grad(op.reduceSum(op.mul(op.mul(x, x), x)), [x]);
  const [second] = op.grad(op.reduceSum(first!), [x]);
  const [third] = op.grad(op.reduceSum(second!), [x]);
  const at = evaluate(x, [2, -3], { first: first!, second: second!, third: third! });
  assert.deepEqual(at, { first: [12, 27], second: [12, -18], third: [6, 6] });
});

Deno.test("grad() refuses an operation without a rule, naming it and where it is", () => {
  const x = op.input("x", "float32", [1, 1, 2, 2]);
  const y = op.scope("decoder", () => op.resizeLinear(x, [3, 3]));
  assert.throws(() => op.grad(op.reduceSum(y), [x]), (error) => {
    assert.ok(error instanceof op.GradientError);
    assert.equal(error.op, "Resize");
    assert.match(error.message, /Cannot differentiate Resize in decoder: .*2x2 to 3x3/);
    assert.ok(error.cause instanceof Error);
    return true;
  });
});

Deno.test("grad() does not ask a rule of what does not lead to the value", () => {
  const x = op.input("x", "float32", [1, 1, 2, 2]);
  const other = op.resizeLinear(op.input("other", "float32", [1, 1, 3, 3]), [2, 2]);
  assert.equal(op.grad(op.reduceSum(op.mul(x, other)), [x]).length, 1);
});

Deno.test("grad() names its nodes after those they belong to", () => {
  const x = op.input("x", "float32", [2, 3]);
  const y = op.scope("block", () => op.scope("act", () => op.gelu(x)));
  const [first] = op.grad(op.reduceSum(y), [x]);
  const [second] = op.grad(op.reduceSum(first!), [x]);
  const scopes = new Set(op.reachable([second!]).map((node) => node.scope));
  assert.deepEqual([...scopes].sort(), ["block/act/grad", "grad"]);
});

/** d/dx of <u, grad f(x)> by central differences of the gradient, against grad of grad. */
function checkSecondOrder(name: string, shape: number[], f: (x: Value) => Value): void {
  Deno.test(`grad() of a grad agrees with central differences: ${name}`, () => {
    const x = op.input("x", "float32", shape);
    const size = shape.reduce((a, b) => a * b, 1);
    const numbers = (seed: number) =>
      Float32Array.from({ length: size }, (_, i) => Math.sin(seed + 1.7 * i));
    const y = f(x);
    const weights = numbers(3).slice(0, 1)[0]!;
    const [first] = op.grad(op.reduceSum(op.mul(op.mul(y, y), weights)), [x]);
    const u = op.constant(numbers(2), shape);
    const [second] = op.grad(op.reduceSum(op.mul(first!, u)), [x]);
    const at = numbers(1);
    const run = (point: Float32Array) =>
      runGraph({ first: first!, second: second! }, [[x, { data: point, shape }]]);
    const step = 1e-2;
    const along = numbers(2);
    const [ahead, behind] = [1, -1].map((sign) =>
      run(at.map((value, i) => value + sign * step * along[i]!)).first!.data
    );
    const { data } = run(at).second!;
    const scale = Math.max(...data.map(Math.abs));
    data.forEach((value, i) => {
      const difference = (ahead![i]! - behind![i]!) / (2 * step);
      assert.ok(Math.abs(value - difference) < 5e-3 * scale, `${i}: ${value} and ${difference}`);
    });
  });
}

checkSecondOrder("silu", [4], op.silu);
checkSecondOrder("softmax", [2, 3], (x) => op.softmax(x));
checkSecondOrder("group normalization", [1, 4, 2, 2], (x) => {
  const ones = op.constant(Float32Array.of(1, 2, 1, 2)), zeros = op.constant(new Float32Array(4));
  return op.mul(op.groupNormalization(x, ones, zeros, { groups: 2, epsilon: 1e-2 }), x);
});
checkSecondOrder("strided convolution by itself", [1, 1, 5, 5], (x) => {
  const w = op.slice(x, [0, 0], [3, 3], [2, 3]); // weights and input both depend on x
  return op.conv(x, w, undefined, { strides: 2, pads: 1 });
});
checkSecondOrder("self-attention", [1, 3, 4], (x) => op.multiHeadAttention(x, x, x, { heads: 2 }));
checkSecondOrder("gather", [4], (x) => {
  const square = op.mul(x, x);
  return op.mul(op.gather(square, op.constant(BigInt64Array.of(1n, 1n, 3n, 0n))), x);
});
