/**
 * How fast a device is, measured on it: nothing is copied to or from it meanwhile.
 *
 * @module
 */

import type { IoBinding } from "../ffi/io_binding.ts";
import { deviceMemory, type Provider } from "../ffi/providers.ts";
import type { Runtime } from "../ffi/runtime.ts";
import { Tensor } from "../ffi/tensor.ts";
import { toOnnx } from "../graph/onnx_write.ts";
import { neg } from "../graph/ops/elementwise.ts";
import { matMul } from "../graph/ops/linalg.ts";
import { input, type Value } from "../graph/value.ts";

/** The two limits of every kernel (the roofline model). */
export interface DeviceSpeed {
  /** Multiply-adds a second in a product of float32 matrices. */
  readonly multiplyAdds: number;
  /** Bytes a second that are read and written. */
  readonly bytes: number;
}

/** Runs that are timed; the best one counts. */
const RUNS = 4;
/** Elements that are read and written to see how fast memory is: more than caches hold. */
const ELEMENTS = 1 << 24;

/**
 * Measures a provider's device: under a second on a processor.
 *
 * @throws {ProviderError} if the provider does not work here.
 */
export function deviceSpeed(runtime: Runtime, provider: Provider): DeviceSpeed {
  return {
    multiplyAdds: multiplyAdds(runtime, provider, 1024),
    bytes: memorySpeed(runtime, provider),
  };
}

/** Bytes a second that are read and written: of arrays that no cache holds. */
export function memorySpeed(runtime: Runtime, provider: Provider): number {
  return 2 * 4 * ELEMENTS / fastest(runtime, provider, [ELEMENTS], (x) => neg(x));
}

/** Multiply-adds a second in the product of two float32 matrices of this side. */
export function multiplyAdds(runtime: Runtime, provider: Provider, side: number): number {
  return side ** 3 / fastest(runtime, provider, [side, side], (x) => matMul(x, x));
}

/** Least seconds of a graph of one input, all of whose memory is the device's. */
function fastest(
  runtime: Runtime,
  provider: Provider,
  shape: readonly number[],
  graph: (x: Value) => Value,
): number {
  const x = input("x", "float32", shape);
  const { bytes } = toOnnx({ inputs: [x], outputs: { y: graph(x) } });
  using session = runtime.createSession(bytes, { providers: [provider] });
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.5);
  using tensor = Tensor.from(runtime, "float32", data, shape);
  using binding = session.bind();
  binding.bindInput("x", tensor).bindOutput("y", deviceMemory(provider));
  timed(binding);
  // From here on the result has its place: no run allocates.
  using result = binding.outputs().y!;
  binding.bindOutput("y", result);
  return Math.min(...Array.from({ length: RUNS }, () => timed(binding)));
}

function timed(binding: IoBinding): number {
  const began = performance.now();
  binding.runSync();
  binding.synchronizeOutputs();
  return (performance.now() - began) / 1000;
}
