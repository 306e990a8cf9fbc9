import { openRuntime, type Runtime } from "../../ffi/runtime.ts";
import { Tensor } from "../../ffi/tensor.ts";

/** The path of a model made by tests/golden/make_onnx.py. */
export function modelPath(name: string): string {
  return new URL(`../golden/onnx/${name}.onnx`, import.meta.url).pathname;
}

/** Its bytes. */
export function model(name: string): Uint8Array {
  return Deno.readFileSync(modelPath(name));
}

// Opened outside of any test, because it is never closed and some Deno versions call that a leak.
const runtime = openRuntime();

/** The real ONNX Runtime; tests that import this fail where it is missing. */
export function ort(): Runtime {
  return runtime;
}

/** A float32 tensor of the given numbers. */
export function floats(numbers: readonly number[], shape: readonly number[] = [numbers.length]) {
  return Tensor.from(ort(), "float32", Float32Array.from(numbers), shape);
}

/** Inputs of the model `loop`, which runs as long as `count` is large. */
export function loopFeeds(count: number) {
  return {
    count: Tensor.from(ort(), "int64", BigInt64Array.of(BigInt(count)), []),
    x: Tensor.from(ort(), "float32", new Float32Array(64 * 64).fill(1), [64, 64]),
  };
}
