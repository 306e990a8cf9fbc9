/** Operators with kernels for GPUs alone: their numbers by expansion, their schema by ONNX Runtime. */
import assert from "node:assert/strict";
import { OrtError } from "../../ffi/errors.ts";
import { openRuntime } from "../../ffi/runtime.ts";
import { forGpu } from "../../graph/for_gpu.ts";
import * as op from "../../graph/mod.ts";
import { apply, type OpDef } from "../../graph/op.ts";
import { groupNormFits, groupNormLast } from "../../graph/ops/gpu_normalization.ts";
import { expanded } from "../../graph/rewrite.ts";
import { runGraph } from "./run_graph.ts";

type Value = op.Value;
const runtime = openRuntime();

/** Numbers that look random and are the same each time. */
function numbers(count: number, seed: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => Math.sin((i + 1) * 12.9898 + seed) * 1.5);
}

/** A graph of inputs with these shapes, in the lowering for GPUs; what is returned are its results. */
function graphOf(
  shapes: Readonly<Record<string, readonly number[]>>,
  build: (inputs: Readonly<Record<string, Value>>) => Readonly<Record<string, Value>>,
  dtype: "float32" | "float16" = "float32",
) {
  const inputs = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [name, op.input(name, "float32", shape)]),
  );
  const given = Object.fromEntries(
    Object.entries(inputs).map(([name, value]) => [name, op.cast(value, dtype)]),
  );
  const plain = op.lowering("gpu", () => build(given));
  const feeds = Object.values(inputs).map((value, i) => {
    const shape = value.shape as number[];
    const data = numbers(shape.reduce((a, b) => a * b, 1), i);
    return [value, { data, shape }] as const;
  });
  return { inputs: Object.values(inputs), plain, fused: forGpu(plain), feeds };
}

const types = (outputs: Readonly<Record<string, Value>>) =>
  op.reachable(Object.values(outputs)).map((node) => node.op.type);

/** Largest difference of what both compute. */
function apart(
  a: Readonly<Record<string, Value>>,
  b: Readonly<Record<string, Value>>,
  feeds: Parameters<typeof runGraph>[1],
): number {
  const [x, y] = [runGraph(a, feeds), runGraph(b, feeds)];
  return Math.max(
    ...Object.entries(x).flatMap(([name, { data, shape }]) => {
      assert.deepEqual(shape, y[name]!.shape);
      return data.map((value, i) => Math.abs(value - y[name]!.data[i]!));
    }),
  );
}

/** What ONNX Runtime says of a model: that it only lacks a kernel, or what is wrong with it. */
function verdict(inputs: readonly Value[], outputs: Readonly<Record<string, Value>>): string {
  try {
    runtime.createSession(op.toOnnx({ inputs, outputs }).bytes, { logLevel: "fatal" }).dispose();
    return "runs";
  } catch (error) {
    assert.ok(error instanceof OrtError);
    return `${error.code} ${
      /(?:kernel for com\.microsoft\.|implementation for )(\w+)/.exec(error.message)?.[1] ??
        error.message
    }`;
  }
}

const C = 320;
const FEED = { x: [2, 5, C], w: [8 * C, C], b: [8 * C], w2: [C, 4 * C], b2: [C], skip: [2, 5, C] };

/** GEGLU and what it is added to. */
function feedForward({ x, w, b, w2, b2, skip }: Readonly<Record<string, Value>>) {
  const [value, gate] = op.split(op.linear(x!, w!, b), 2, 2) as [Value, Value];
  return { y: op.add(op.linear(op.mul(value, op.gelu(gate)), w2!, b2), skip!) };
}

/** Pictures that are added up and normalized. */
const PICTURES = { x: [2, 64, 3, 4], k: [64, 64, 3, 3], b: [64], time: [2, 64], s: [64], t: [64] };
function residual({ x, k, b, time, s, t }: Readonly<Record<string, Value>>) {
  const norm = (value: Value) => op.groupNormalization(value, s!, t!, { groups: 32 });
  const h = op.add(op.conv(op.silu(norm(x!)), k!, b, { pads: 1 }), op.unsqueeze(time!, [2, 3]));
  const sum = op.add(x!, op.conv(op.silu(norm(h)), k!, b, { pads: 1 }));
  return { sum, y: norm(sum) };
}

/** Sequences that are added up and normalized. */
const SEQUENCES = { x: [2, 5, 48], w: [48, 48], b: [48], skip: [2, 5, 48], s: [48], t: [48] };
function normalizedSum({ x, w, b, skip, s, t }: Readonly<Record<string, Value>>) {
  const sum = op.add(skip!, op.linear(x!, w!, b));
  const alone = op.layerNormalization(op.add(x!, skip!), s!, t);
  return { sum, y: op.layerNormalization(sum, s!, t), alone };
}

const CASES = [
  ["GEGLU", FEED, feedForward, ["BiasSplitGelu", "BiasAdd"]],
  ["a residual block", PICTURES, residual, ["GroupNorm", "SkipGroupNorm"]],
  ["sums of sequences", SEQUENCES, normalizedSum, ["SkipLayerNormalization"]],
] as const;

for (const [name, shapes, build, expected] of CASES) {
  Deno.test(`${name} for GPUs computes what the plain graph does`, () => {
    const { plain, fused, feeds } = graphOf(shapes, build);
    for (const type of expected) assert.ok(types(fused).includes(type), type);
    const error = apart(expanded(fused), plain, feeds);
    assert.ok(error < 1e-3, `${error}`);
    assert.ok(apart(plain, plain, feeds) === 0);
  });

  for (const dtype of ["float32", "float16"] as const) {
    Deno.test(`${name} for GPUs in ${dtype} lacks nothing but a kernel`, () => {
      const { inputs, plain, fused, feeds } = graphOf(shapes, build, dtype);
      const found = verdict(inputs, fused);
      // The CPU has a kernel for one of them: that must compute the same.
      if (found === "runs") {
        assert.ok(apart(fused, plain, feeds) < (dtype === "float16" ? 0.05 : 1e-4));
      } else assert.ok(expected.some((type) => found === `NOT_IMPLEMENTED ${type}`), found);
    });
  }
}

Deno.test("ONNX Runtime knows the schemas: it refuses what does not fit them", () => {
  const x = op.input("x", "float32", [1, 2, 2, 64]), s = op.input("s", "float32", [64]);
  const node = (type: string, attributes: OpDef["attributes"], inputs: readonly Value[]) =>
    apply(
      {
        type,
        domain: "com.microsoft",
        attributes: attributes!,
        infer: () => [x.type],
        vjp: "none",
      },
      inputs,
      { groups: 32, activation: 1 },
    );
  const both = { groups: "int", activation: "int" } as const;
  const whole = verdict([x, s], { y: node("GroupNorm", both, [x, s, s]) });
  assert.equal(whole, "NOT_IMPLEMENTED GroupNorm");
  const without = verdict([x, s], { y: node("GroupNorm", { groups: "int" }, [x, s, s]) });
  assert.match(without, /^INVALID_GRAPH .*attribute 'activation' is missing/s);
  const few = verdict([x, s], { y: node("GroupNorm", both, [x, s]) });
  assert.match(few, /^INVALID_GRAPH .*input size 2 not in range/s);
  assert.match(
    verdict([x], { y: node("GroupNorms", {}, [x]) }),
    /^FAIL .*GroupNorms.* is not a registered/s,
  );
});

Deno.test("what the kernels do not take stays in the usual form", () => {
  const odd = { x: [1, 36, 2, 2], s: [36], t: [36] };
  const { plain, fused, feeds } = graphOf(odd, ({ x, s, t }) => ({
    y: op.groupNormalization(x!, s!, t!, { groups: 12 }), // three channels a group
  }));
  assert.ok(types(fused).includes("InstanceNormalization"));
  assert.ok(apart(fused, plain, feeds) < 1e-5);
  const narrow = {
    x: [1, 3, 16],
    w: [128, 16],
    b: [128],
    w2: [16, 64],
    b2: [16],
    skip: [1, 3, 16],
  };
  const small = graphOf(narrow, feedForward);
  assert.deepEqual(types(small.fused), types(small.plain));
  assert.throws(
    () =>
      groupNormLast(op.input("x", "float32", [1, 2, 2, 36]), small.inputs[0]!, small.inputs[0]!, {
        groups: 12,
        epsilon: 1e-5,
        activation: 0,
      }),
    op.ShapeError,
  );
  const fits = (
    shape: (number | string)[],
    groups = 32,
    dtype: "float32" | "bfloat16" = "float32",
  ) => groupNormFits({ shape, dtype }, groups);
  assert.ok(fits([2, 320, 64, 64]));
  assert.ok(!fits(["batch", 320, 64, 64]) && !fits([33, 320, 8, 8]) && !fits([1, 128, 8, 8], 64));
  assert.ok(!fits([1, 32, 8, 8]) && !fits([1, 320, 64]) && !fits([1, 320, 8, 8], 32, "bfloat16"));
});

Deno.test("a sum that something else sees is still what it was", () => {
  const { fused } = graphOf(PICTURES, residual);
  const norms = op.reachable(Object.values(fused)).filter(({ op: { type } }) =>
    type === "SkipGroupNorm"
  );
  assert.deepEqual(norms.map(({ outputs }) => outputs.length), [1, 2]);
  assert.ok(!types(fused).includes("Add"));
});
