/** Runs a graph once in ONNX Runtime. */
import { openRuntime } from "../../ffi/runtime.ts";
import type { SessionOptions } from "../../ffi/session_options.ts";
import { Tensor } from "../../ffi/tensor.ts";
import type { DType, NumericArray, Value } from "../../graph/mod.ts";
import { toOnnx } from "../../graph/mod.ts";

// Opened before any test, so that no test is blamed for a library that stays loaded.
const runtime = openRuntime();

/** A result: what ONNX Runtime says it is, and its elements as numbers. */
export interface Result {
  dtype: DType;
  shape: readonly number[];
  data: number[];
}

/** Something to feed: elements and their shape. */
export interface Feed {
  data: NumericArray;
  shape: readonly number[];
}

/** Runs model bytes with the feeds that it has inputs for. */
export function runModel(
  bytes: Uint8Array,
  feeds: Readonly<Record<string, Feed & { dtype: DType }>>,
  options: SessionOptions = {},
): Record<string, Result> {
  // As pipeline/session_builder.ts does: see there.
  const config = { "optimization.disable_specified_optimizers": "ReshapeFusion" };
  using session = runtime.createSession(bytes, { intraOpThreads: 1, config, ...options });
  const tensors: Record<string, Tensor> = {};
  for (const { name } of session.inputs) {
    const { data, shape, dtype } = feeds[name]!;
    tensors[name] = Tensor.fromBytes(
      runtime,
      dtype,
      new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength),
      shape,
    );
  }
  const results = session.runSync(tensors);
  for (const tensor of Object.values(tensors)) tensor.dispose();
  return Object.fromEntries(
    Object.entries(results).map(([name, tensor]) => {
      using result = tensor;
      const data = Array.from(result.data as ArrayLike<number | bigint>, Number);
      return [name, { dtype: result.dtype as DType, shape: [...result.shape], data }];
    }),
  );
}

/** Runs outputs by name on inputs in order. */
export function runGraph(
  outputs: Readonly<Record<string, Value>>,
  feeds: readonly (readonly [Value, Feed])[],
): Record<string, Result> {
  const inputs = feeds.map(([value]) => value);
  const byName = Object.fromEntries(
    feeds.map(([{ node, dtype }, feed]) => [
      node.kind === "input" ? node.name : "",
      { ...feed, dtype },
    ]),
  );
  return runModel(toOnnx({ inputs, outputs }).bytes, byName);
}
