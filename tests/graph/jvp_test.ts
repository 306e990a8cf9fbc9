import assert from "node:assert/strict";
import * as op from "../../graph/mod.ts";
import type { Lowering, Value } from "../../graph/mod.ts";
import { buildCase, elements, type GoldenCase, goldenCases } from "./golden_cases.ts";
import { type Feed, runGraph } from "./run_graph.ts";

const lowerings: readonly Lowering[] = ["fused", "standard", "primitive"];
/** These inputs are at a kink, or nearer to one than a step: no difference has the derivative. */
const KINKED = new Set(["reduceMax ties", "reduceMax", "round"]);
/** Forward rules where the backward has none. */
const FORWARD_ONLY = new Set(["resizeNearest size", "resizeLinear", "resizeLinear corners"])
  .union(new Set(["resizeCubic", "pad reflect", "pad edge"]));
const STEP = 1 / 64;

/** Numbers of about one, different for each place. */
function wave(count: number, seed: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => Math.cos(1.3 * i + 2.1 * seed + 0.4));
}

/** The case with its inputs moved along their tangents by `distance`. */
function feedsAt(inputs: Value[], { inputs: recorded }: GoldenCase, distance: number) {
  return inputs.map((value, i): [Value, Feed] => {
    const { shape } = recorded[i]!, data = elements(recorded[i]!);
    if (value.dtype !== "float32") return [value, { data, shape }];
    const along = wave(data.length, i);
    return [value, { data: (data as Float32Array).map((x, k) => x + distance * along[k]!), shape }];
  });
}

/** A case with the derivatives of its floating outputs. */
function moving(name: string, target: Lowering) {
  const built = buildCase(name, target);
  const outputs = built.outputs.filter((value) => value.dtype === "float32");
  const wrt = built.inputs.filter((value) => value.dtype === "float32");
  const tangents = built.inputs.flatMap((value, i) => {
    if (value.dtype !== "float32") return [];
    const shape = value.shape as number[];
    return [op.constant(wave(shape.reduce((a, b) => a * b, 1), i), shape)];
  });
  return { ...built, outputs, tangents: op.lowering(target, () => op.jvp(outputs, wrt, tangents)) };
}

const named = (prefix: string, values: readonly Value[]) =>
  Object.fromEntries(values.map((value, i) => [`${prefix}${i}`, value]));

for (const [name, golden] of Object.entries(goldenCases)) {
  if (!golden.inputs.some(({ dtype }) => dtype === "float32")) continue;
  Deno.test(`jvp() of ${name} agrees with central differences and with grad(), in every lowering`, () => {
    for (const target of lowerings) {
      const { inputs, outputs, tangents } = moving(name, target);
      if (outputs.length === 0) return;
      const at = (distance: number) => feedsAt(inputs, golden, distance);
      const results = runGraph({ ...named("y", outputs), ...named("t", tangents) }, at(0));
      const [ahead, behind] = [STEP, -STEP].map((d) => runGraph(named("y", outputs), at(d)));
      outputs.forEach((output, i) => {
        const said = results[`t${i}`]!;
        assert.deepEqual(said.shape, output.shape);
        if (KINKED.has(name)) return;
        const largest = Math.max(1, ...said.data.map(Math.abs));
        said.data.forEach((value, k) => {
          const change = ahead![`y${i}`]!.data[k]! - behind![`y${i}`]!.data[k]!;
          const difference = change / (2 * STEP);
          assert.ok(
            Math.abs(value - difference) < 2e-3 * largest,
            `${target}, output ${i}[${k}]: ${value}, by differences ${difference}`,
          );
        });
      });
      if (golden.gradients) agreesWithGradient(golden, inputs, outputs, results);
    }
  });
}

/** cotangent · (Jacobian · tangent) = (cotangent · Jacobian) · tangent, the latter by PyTorch. */
function agreesWithGradient(
  { cotangents, gradients }: GoldenCase,
  inputs: Value[],
  outputs: Value[],
  results: Record<string, { data: number[] }>,
): void {
  const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
    Array.from(a).reduce((sum, x, i) => sum + x * b[i]!, 0);
  const forward = outputs.reduce(
    (sum, _, i) => sum + dot(cotangents![i]!.data, results[`t${i}`]!.data),
    0,
  );
  const floating = inputs.flatMap((value, i) => value.dtype === "float32" ? [i] : []);
  const backward = floating.reduce((sum, i, k) => {
    const { data } = gradients![k]!;
    return sum + dot(data, wave(data.length, i));
  }, 0);
  assert.ok(
    Math.abs(forward - backward) < 1e-4 * (1 + Math.abs(backward)),
    `${forward} forward, ${backward} backward`,
  );
}

Deno.test("jvp() goes where grad() has no rule, as these are linear", () => {
  for (const name of FORWARD_ONLY) {
    assert.equal(goldenCases[name]!.gradients, undefined, name);
    const { tangents } = moving(name, "fused");
    assert.ok(tangents.length === 1, name);
  }
});

Deno.test("jvp() costs no evaluation of the backward rules that it is made of", () => {
  const x = op.input("x", "float32", [2, 3]), w = op.input("w", "float32", [3, 4]);
  const y = op.tanh(op.matMul(x, w)), t = op.input("t", "float32", [2, 3]);
  const [moved] = op.jvp([y], [x], [t]);
  const types = op.reachable([moved!]).map((node) => node.op.type).sort();
  assert.deepEqual(types.filter((type) => type === "MatMul").length, 2, `${types}`);
});

Deno.test("jvp() is zero where the output does not depend on the input, and adds up otherwise", () => {
  const x = op.input("x", "float32", [2]), other = op.input("o", "float32", [2]);
  const h = op.mul(x, x), one = op.constant(Float32Array.of(1, 1));
  const [a, b, both] = [
    ...op.jvp([op.exp(other), h], [x], [one]),
    ...op.jvp([op.mul(h, 3)], [x, h], [one, one]), // 6 x + 3
  ];
  const results = runGraph({ a: a!, b: b!, both: both! }, [
    [x, { data: Float32Array.of(1, 2), shape: [2] }],
  ]);
  assert.deepEqual([results.a!.data, results.b!.data, results.both!.data], [[0, 0], [2, 4], [
    9,
    15,
  ]]);
});

Deno.test("jvp() of a jvp is the second derivative, and of a grad the Hessian times a vector", () => {
  const x = op.input("x", "float32", [2]), one = op.constant(Float32Array.of(1, 1));
  const cube = op.mul(op.mul(x, x), x);
  const [first] = op.jvp([cube], [x], [one]), [second] = op.jvp([first!], [x], [one]);
  const [slope] = op.grad(op.reduceSum(op.mul(cube, op.constant(Float32Array.of(1, 2)))), [x]);
  const [hessian] = op.jvp([slope!], [x], [one]);
  const feeds = [[x, { data: Float32Array.of(2, -3), shape: [2] }]] as const;
  const results = runGraph({ second: second!, hessian: hessian! }, feeds);
  assert.deepEqual(results.second!.data, [12, -18]);
  assert.deepEqual(results.hessian!.data, [12, -36]);
});

Deno.test("jvp() needs a tangent for each input, of its shape", () => {
  const x = op.input("x", "float32", [2]), y = op.exp(x);
  assert.throws(() => op.jvp([y], [x], []), /each input needs a tangent of its shape/);
  assert.throws(() => op.jvp([y], [x], [op.constant(1)]), /each input needs a tangent/);
});
