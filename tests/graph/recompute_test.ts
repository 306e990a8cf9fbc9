import assert from "node:assert/strict";
import {
  constant,
  grad,
  input,
  matMul,
  mul,
  type OpNode,
  reachable,
  reduceSum,
  scope,
  tanh,
  type Value,
} from "../../graph/mod.ts";
import { runGraph } from "./run_graph.ts";

const blockOf = (node: OpNode) => /^block\d/.exec(node.scope)?.[0];

/** Three layers, and the skip of the first around the second. */
function network(x: Value, weights: readonly Value[]): Value {
  const layer = (i: number, h: Value) =>
    scope(`block${i}`, () => tanh(mul(tanh(matMul(h, weights[i]!)), 0.7)));
  const a = layer(0, x), b = layer(1, a), c = layer(2, mul(a, b));
  return reduceSum(mul(c, c));
}

const x = constant(Float32Array.of(0.3, -0.8, 1.1, 0.2), [2, 2]);
const weights = [0, 1, 2].map((i) => input(`w${i}`, "float32", [2, 2]));
const loss = network(x, weights);

Deno.test("grad with recompute gives the same derivatives", () => {
  const plain = grad(loss, weights), again = grad(loss, weights, undefined, { recompute: blockOf });
  const outputs = Object.fromEntries(
    [plain, again].flatMap((set, k) => set.map((g, i) => [`${k}/${i}`, g])),
  );
  const feeds = weights.map((w, i) => {
    const data = Float32Array.of(0.5 + i, -0.3, 0.8 - i, 0.4);
    return [w, { data, shape: [2, 2] }] as const;
  });
  const results = runGraph(outputs, feeds);
  weights.forEach((_, i) => assert.deepEqual(results[`1/${i}`], results[`0/${i}`]));
});

Deno.test("grad with recompute keeps only what goes from one block to the next", () => {
  const used = (recompute: boolean) => {
    const gradients = grad(loss, weights, undefined, recompute ? { recompute: blockOf } : {});
    const forward = new Set(reachable([loss]));
    const kept = new Set<Value>();
    for (const node of reachable(gradients).filter((node) => !forward.has(node))) {
      for (const value of node.inputs) {
        if (value?.node.kind === "op" && forward.has(value.node)) kept.add(value);
      }
    }
    return [...kept].map(({ node }) => (node as OpNode).scope);
  };
  assert.ok(used(false).filter((scope) => scope === "block1").length > 1);
  // Each block's result goes to the next; nothing from inside a block is used again.
  assert.equal(used(true).filter((scope) => scope === "block1").length, 1);
});

Deno.test("grad with recompute computes a block again only after its cotangent", () => {
  const gradients = grad(loss, weights, undefined, { recompute: blockOf });
  const again = reachable(gradients).filter(({ scope }) => scope.endsWith("/again"));
  const first = again.find(({ scope }) => scope.startsWith("block0"));
  assert.ok(first, "block0 is computed again");
  const second = again.filter(({ scope }) => scope.startsWith("block1"));
  const before = new Set(reachable(second.flatMap(({ outputs }) => outputs)));
  const arrives = [...before].some(({ scope }) => scope.startsWith("block2") && /grad/.test(scope));
  assert.ok(arrives, "block1 waits for the gradient that comes out of block2");
});
