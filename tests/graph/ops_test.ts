import assert from "node:assert/strict";
import { type Lowering, reachable } from "../../graph/mod.ts";
import { activationOps } from "../../graph/ops/activation.ts";
import { arithmeticOps } from "../../graph/ops/arithmetic.ts";
import { attentionOps } from "../../graph/ops/attention.ts";
import { convOps } from "../../graph/ops/conv.ts";
import { elementwiseOps } from "../../graph/ops/elementwise.ts";
import { indexOps } from "../../graph/ops/indexing.ts";
import { joinOps } from "../../graph/ops/join.ts";
import { linalgOps } from "../../graph/ops/linalg.ts";
import { movementOps } from "../../graph/ops/movement.ts";
import { normalizationOps } from "../../graph/ops/normalization.ts";
import { reduceOps } from "../../graph/ops/reduce.ts";
import { resizeOps } from "../../graph/ops/resize.ts";
import { buildCase, caseModel, elements, goldenCases, type GoldenTensor } from "./golden_cases.ts";
import { builds } from "./op_cases.ts";
import { type Result, runModel } from "./run_graph.ts";

const allOps = [
  ...activationOps,
  ...arithmeticOps,
  ...attentionOps,
  ...convOps,
  ...elementwiseOps,
  ...indexOps,
  ...joinOps,
  ...linalgOps,
  ...movementOps,
  ...normalizationOps,
  ...reduceOps,
  ...resizeOps,
];
const lowerings: readonly Lowering[] = ["fused", "standard", "primitive"];

Deno.test("golden cases are exactly those that are built", () => {
  assert.deepEqual(Object.keys(builds).sort(), Object.keys(goldenCases).sort());
});

Deno.test("every operation is part of a golden case", () => {
  const covered = new Set(lowerings.flatMap((target) =>
    Object.keys(builds).flatMap((name) => {
      const { outputs } = buildCase(name, target);
      return reachable(outputs).map((node) => node.op);
    })
  ));
  assert.deepEqual(allOps.filter((op) => !covered.has(op)).map((op) => op.type), []);
});

Deno.test("each lowering uses only the operations that it promises", () => {
  const composite = ["LayerNormalization", "InstanceNormalization", "GroupNormalization", "Gelu"];
  for (const target of ["standard", "primitive"] as const) {
    for (const name of Object.keys(builds)) {
      if (/^(fusedMatMul|instanceNormalization)/.test(name)) continue; // asked for by name
      const { outputs, gradients } = buildCase(name, target);
      for (const { op } of reachable([...outputs, ...gradients])) {
        assert.equal(op.domain, undefined, `${name}, ${target}: ${op.type}`);
        assert.ok(target === "standard" || !composite.includes(op.type), `${name}: ${op.type}`);
      }
    }
  }
});

for (const [name, golden] of Object.entries(goldenCases)) {
  Deno.test(`${name} equals PyTorch, its gradients too, in every lowering`, () => {
    const expected: Record<string, GoldenTensor> = {};
    golden.outputs.forEach((tensor, i) => expected[`output${i}`] = tensor);
    golden.gradients?.forEach((tensor, i) => expected[`gradient${i}`] = tensor);
    const feeds = Object.fromEntries(
      golden.inputs.map((tensor, i) => [`input${i}`, { ...tensor, data: elements(tensor) }]),
    );
    const done = new Set<string>();
    for (const target of lowerings) {
      const bytes = caseModel(name, target);
      if (done.has(`${bytes}`)) continue; // not a composite: the same model again
      done.add(`${bytes}`);
      const results = runModel(bytes, feeds);
      assert.deepEqual(Object.keys(results), Object.keys(expected));
      const { outputs, gradients } = buildCase(name, target);
      const inferred = [...outputs, ...gradients].map((value) => value.type);
      Object.entries(expected).forEach(([key, tensor], i) => {
        const result = results[key]!;
        assert.deepEqual(
          inferred[i],
          { dtype: result.dtype, shape: result.shape },
          "inferred type",
        );
        assertClose(result, tensor, `${key}, ${target}`);
      });
    }
  });
}

/** float32 arithmetic against float64: a few units of the last place of numbers of this size. */
function assertClose(actual: Result, expected: GoldenTensor, what: string): void {
  assert.equal(actual.dtype, expected.dtype, what);
  assert.deepEqual(actual.shape, expected.shape, what);
  actual.data.forEach((value, i) => {
    const wanted = expected.data[i]!;
    assert.ok(
      Math.abs(value - wanted) <= 3e-5 * (1 + Math.abs(wanted)),
      `${what}[${i}]: got ${value}, expected ${wanted}`,
    );
  });
}
