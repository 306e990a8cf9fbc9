import assert from "node:assert/strict";
import {
  constant,
  grad,
  input,
  lowering,
  mul,
  multiHeadAttention,
  reduceSum,
} from "../../graph/mod.ts";
import { runGraph } from "./run_graph.ts";

Deno.test("multiHeadAttention of many tokens has the same derivative head by head", () => {
  const shape = [1, 1024, 6], size = 1024 * 6;
  const wave = (a: number) => Float32Array.from({ length: size }, (_, i) => Math.sin(a * i + a));
  const inputs = ["q", "k", "v"].map((name) => input(name, "float32", shape));
  const [q, k, v] = inputs;
  const weigh = constant(wave(0.37), shape);
  const derivatives = () =>
    grad(reduceSum(mul(multiHeadAttention(q!, k!, v!, { heads: 3 }), weigh)), inputs);
  const by = { heads: derivatives(), all: lowering("primitive", derivatives) };
  const outputs = Object.fromEntries(
    Object.entries(by).flatMap(([name, gs]) => gs.map((g, i) => [`${name}/${i}`, g])),
  );
  const feeds = inputs.map((value, i) => [value, { data: wave(0.11 * (i + 1)), shape }] as const);
  const results = runGraph(outputs, feeds);
  for (const i of [0, 1, 2]) {
    const a = results[`heads/${i}`]!.data, b = results[`all/${i}`]!.data;
    const largest = Math.max(...b.map(Math.abs));
    const worst = Math.max(...b.map((value, k) => Math.abs(value - a[k]!)));
    assert.ok(worst <= 2e-5 * largest && largest > 0, `input ${i}: off by ${worst} of ${largest}`);
  }
});
