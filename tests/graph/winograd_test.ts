import assert from "node:assert/strict";
import { conv, input, winogradConv } from "../../graph/mod.ts";
import { winogradKernels } from "../../weights/winograd.ts";
import { runGraph } from "./run_graph.ts";

function spread(count: number, seed: number): Float32Array {
  let state = seed;
  const next = () => (state = (state * 16807) % 2147483647) / 2147483647 - 0.5;
  return Float32Array.from({ length: count }, next);
}

/** Winograd's result beside the convolution's: the largest difference, of the largest value. */
function error([n, c, height, width]: readonly number[], outputs: number, biased: boolean) {
  const value = (name: string, shape: readonly number[], data: Float32Array) =>
    [input(name, "float32", shape), { shape, data }] as const;
  const weights = spread(9 * outputs * c!, 2);
  const x = value("x", [n!, c!, height!, width!], spread(n! * c! * height! * width!, 1));
  const w = value("w", [outputs, c!, 3, 3], weights);
  const u = value("u", [36, outputs, c!], winogradKernels(weights, [outputs, c!]));
  const b = biased ? value("b", [outputs], spread(outputs, 3)) : undefined;
  const { direct, winograd } = runGraph({
    direct: conv(x[0], w[0], b?.[0], { pads: 1 }),
    winograd: winogradConv(x[0], u[0], b?.[0]),
  }, [x, w, u, ...(b ? [b] : [])]);
  assert.deepEqual(winograd!.shape, direct!.shape);
  const largest = Math.max(...direct!.data.map(Math.abs));
  return Math.max(...winograd!.data.map((y, i) => Math.abs(y - direct!.data[i]!))) / largest;
}

Deno.test("winogradConv is the convolution, for any size, batch and number of channels", () => {
  for (
    const [shape, outputs, biased] of [
      [[1, 8, 8, 8], 8, true],
      [[2, 5, 16, 12], 7, true],
      [[2, 3, 9, 11], 4, false],
      [[1, 16, 1, 3], 2, true],
      [[3, 64, 6, 6], 32, false],
    ] as const
  ) {
    const found = error(shape, outputs, biased);
    assert.ok(found < 5e-6, `${shape} to ${outputs}: ${found}`);
  }
});

Deno.test("winogradConv refuses kernels that were not transformed for it", () => {
  const x = input("x", "float32", [1, 4, 8, 8]);
  assert.throws(() => winogradConv(x, input("u", "float32", [36, 8, 5])), {
    name: "ShapeError",
    message: /kernels must be \[36, M, 4\]/,
  });
  assert.throws(() => winogradKernels(new Float32Array(10), [1, 1]), RangeError);
});
