import assert from "node:assert/strict";
import { add, conv, grad, input, mul, reduceSum, slice } from "../../graph/mod.ts";
import { runGraph } from "./run_graph.ts";

Deno.test("conv's derivative for a large kernel is that of its halves, whose kernels are turned about", () => {
  const shape = [1, 256, 4, 4], kernel = [256, 256, 3, 3], options = { pads: 1 };
  const wave = (shape: number[], a: number) => ({
    data: Float32Array.from({ length: shape.reduce((x, y) => x * y) }, (_, i) => Math.sin(a * i)),
    shape,
  });
  const x = input("x", "float32", shape), w = input("w", "float32", kernel);
  const g = input("g", "float32", shape);
  const half = (from: number) =>
    reduceSum(mul(
      conv(x, slice(w, [from], [from + 128], [0]), undefined, options),
      slice(g, [from], [from + 128], [1]),
    ));
  const [whole] = grad(reduceSum(mul(conv(x, w, undefined, options), g)), [x]);
  const [halves] = grad(add(half(0), half(128)), [x]);
  const results = runGraph({ whole: whole!, halves: halves! }, [
    [x, wave(shape, 0.3)],
    [w, wave(kernel, 0.7)],
    [g, wave(shape, 0.11)],
  ]);
  const a = results.whole!.data, b = results.halves!.data;
  const largest = Math.max(...b.map(Math.abs));
  const worst = Math.max(...b.map((value, i) => Math.abs(value - a[i]!)));
  assert.ok(largest > 1 && worst < 1e-4 * largest, `${worst} of ${largest}`);
});
