import assert from "node:assert/strict";
import * as op from "../../graph/mod.ts";
import type { Value } from "../../graph/mod.ts";
import { int4Scales, int4Values, int8Scales, int8Values } from "../../weights/quantize.ts";
import { runGraph } from "./run_graph.ts";

const wave = (count: number, step: number) =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(i * step + 0.3));

/** A layer's weight and bias, in float32 and in fewer bits. */
function layers(shape: readonly number[]) {
  const count = shape.reduce((a, b) => a * b, 1), outputs = shape[0]!, inner = count / outputs;
  const weight = wave(count, 0.77), bias = op.constant(wave(outputs, 1.1));
  const eight = int8Scales(weight, shape), four = int4Scales(weight, shape);
  return {
    float: { weight: op.constant(weight, shape), bias },
    int8: {
      weight: op.constant(int8Values(weight, shape, eight), [inner, outputs]),
      scale: op.constant(eight),
      bias,
    },
    int4: {
      weight: op.constant(int4Values(weight, shape, four), [outputs, inner / 32, 16]),
      scale: op.constant(four, [outputs, inner / 32]),
      bias,
    },
  };
}

/** Runs `outputs` on x; root mean squares of the differences from "float", relative to its own. */
function errors(x: Value, outputs: Record<string, Value>): Record<string, number> {
  const shape = x.shape.map(Number), data = wave(shape.reduce((a, b) => a * b, 1), 0.31);
  const { float, ...others } = runGraph(outputs, [[x, { data, shape }]]);
  const size = Math.hypot(...float!.data);
  return Object.fromEntries(
    Object.entries(others).map(([name, { data, shape }]) => {
      assert.deepEqual(shape, float!.shape, name);
      return [name, Math.hypot(...data.map((value, i) => value - float!.data[i]!)) / size];
    }),
  );
}

Deno.test("linearInt8() and linearInt4() are near linear(), in every lowering", () => {
  const x = op.input("x", "float32", [2, 3, 64]), { float, int8, int4 } = layers([5, 64]);
  const { fused, standard, few } = errors(x, {
    float: op.linear(x, float.weight, float.bias),
    fused: op.linearInt8(x, int8),
    standard: op.lowering("standard", () => op.linearInt8(x, int8)),
    few: op.linearInt4(x, int4),
  });
  assert.ok(fused! > 0 && fused! < 0.02, `int8: ${fused}`);
  assert.ok(Math.abs(fused! - standard!) < 1e-5, `${fused} ${standard}`);
  assert.ok(few! > 0 && few! < 0.2, `int4: ${few}`);
});

Deno.test("convInt8() and convInt4() are near conv(), strided, padded unevenly, in strips", () => {
  const shape = [7, 32, 3, 3], { float, int8, int4 } = layers(shape);
  const x = op.input("x", "float32", [2, 32, 9, 8]);
  for (const [strides, pads] of [[[1, 1], [1, 1, 1, 1]], [[2, 2], [0, 0, 1, 1]]] as const) {
    const options = { kernel: [3, 3] as const, strides, pads };
    const { whole, strips, few } = errors(x, {
      float: op.conv(x, float.weight, float.bias, { strides, pads }),
      whole: op.convInt8(x, int8, options),
      strips: op.convInt8(x, int8, { ...options, stripBytes: 5000 }),
      few: op.convInt4(x, int4, options),
    });
    assert.ok(whole! > 0 && whole! < 0.02, `int8: ${whole}`);
    assert.equal(strips, whole);
    assert.ok(few! > 0 && few! < 0.2, `int4: ${few}`);
  }
});

Deno.test("a layer with fewer bits names what does not fit, and cannot be differentiated", () => {
  const x = op.input("x", "float32", [2, 48]), { int8, int4 } = layers([5, 64]);
  assert.throws(
    () => op.linearInt8(x, int8),
    /MatMulIntegerToFloat.*\[2, 48\].*expected.*\[K, N\]/,
  );
  assert.throws(() => op.linearInt4(x, int4), /MatMulNBits.*expected \[\.\.\., 64\]/);
  const y = op.linearInt8(op.input("x", "float32", [2, 64]), int8);
  assert.throws(() => op.grad(op.reduceSum(y), [int8.scale]), op.GradientError);
});
