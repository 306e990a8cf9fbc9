import assert from "node:assert/strict";
import { conv, input, resizeNearest, type Value } from "../../graph/mod.ts";
import { doubledConv, inPhases } from "../../graph/ops/doubled_conv.ts";
import { phaseKernels, phaseName, PHASES, phaseSums } from "../../weights/doubled_kernels.ts";
import { type Feed, runGraph } from "./run_graph.ts";

function spread(count: number, seed: number): Float32Array {
  let state = seed;
  const next = () => (state = (state * 16807) % 2147483647) / 2147483647 - 0.5;
  return Float32Array.from({ length: count }, next);
}

function value(name: string, shape: readonly number[], seed: number): readonly [Value, Feed] {
  const data = spread(shape.reduce((a, b) => a * b, 1), seed);
  return [input(name, "float32", shape), { shape, data }];
}

Deno.test("doubledConv is the convolution of doubled pixels, for any size and batch", () => {
  for (
    const [shape, outputs, biased] of [
      [[1, 8, 8, 8], 8, true],
      [[2, 5, 7, 12], 6, true],
      [[3, 3, 1, 1], 4, false],
      [[1, 32, 16, 9], 32, true],
    ] as const
  ) {
    const x = value("x", shape, 1), w = value("w", [outputs, shape[1], 3, 3], 2);
    const b = biased ? value("b", [outputs], 3) : undefined;
    const { direct, phases } = runGraph({
      direct: conv(resizeNearest(x[0], { scales: [2, 2] }), w[0], b?.[0], { pads: 1 }),
      phases: doubledConv(x[0], w[0], b?.[0], phaseSums),
    }, [x, w, ...(b ? [b] : [])]);
    assert.deepEqual(phases!.shape, direct!.shape);
    const largest = Math.max(...direct!.data.map(Math.abs));
    const error = Math.max(...phases!.data.map((y, i) => Math.abs(y - direct!.data[i]!))) / largest;
    assert.ok(error < 2e-6, `${shape} to ${outputs}: ${error}`);
  }
});

Deno.test("phaseKernels are the sums that doubledConv takes", () => {
  const x = value("x", [1, 4, 6, 5], 1), shape = [3, 4, 3, 3], w = value("w", shape, 2);
  const weight = w[1].data as Float32Array;
  const kernels = PHASES.map((phase, i) => {
    const data = phaseKernels(weight, phase), sizes = [3, 4, 2, 2];
    return [input(`k${i}`, "float32", sizes), { shape: sizes, data }] as const;
  });
  const { one, other } = runGraph({
    one: doubledConv(x[0], w[0], undefined, phaseSums),
    other: inPhases(x[0], 3, ([row, column], pads) => {
      return conv(x[0], kernels[2 * row + column]![0], undefined, { pads });
    }),
  }, [x, w, ...kernels]);
  one!.data.forEach((y, i) => assert.ok(Math.abs(y - other!.data[i]!) < 1e-6));
  // Every element of a kernel is in each phase once.
  const sum = (values: Float32Array) => values.reduce((a, b) => a + b, 0);
  for (const phase of PHASES) {
    assert.ok(Math.abs(sum(phaseKernels(weight, phase)) - sum(weight)) < 1e-4);
  }
});

Deno.test("phases have names of their own", () => {
  assert.deepEqual(
    PHASES.map((phase) => phaseName("up.0.conv.weight", phase)),
    ["00", "01", "10", "11"].map((phase) => `up.0.conv.phase_${phase}.weight`),
  );
});
