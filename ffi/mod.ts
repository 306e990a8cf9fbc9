/**
 * ONNX Runtime from Deno, through its C API and nothing else.
 *
 * ```ts
 * const runtime = openRuntime();
 * using session = runtime.createSession("model.onnx", { providers: [cuda(), cpu()] });
 * using x = Tensor.from(runtime, "float32", new Float32Array(3), [1, 3]);
 * const { y } = await session.run({ x });
 * ```
 *
 * @module
 */

export { openRuntime, Runtime, type RuntimeOptions } from "./runtime.ts";
export { type RunOptions, Session } from "./session.ts";
export type { LogLevel, Optimization, SessionOptions } from "./session_options.ts";
export type { RunSettings } from "./run_options.ts";
export { IoBinding, type Memory } from "./io_binding.ts";
export { Tensor } from "./tensor.ts";
export type { DataOf, DType, TypedArray } from "./dtype.ts";
export type { TensorInfo } from "./tensor_info.ts";
export type { ModelMetadata } from "./metadata.ts";
export type { PlacedNode } from "./placement.ts";
export type { EpDevice } from "./devices.ts";
export {
  cpu,
  cuda,
  type CudaOptions,
  named,
  openvino,
  type OpenvinoOptions,
  plugin,
  type PluginOptions,
  type Provider,
  type ProviderExtras,
  tensorrt,
  type TensorrtOptions,
  tensorrtRtx,
  webgpu,
} from "./providers.ts";
export {
  DisposedError,
  type LibraryAttempt,
  LibraryNotFoundError,
  LibraryVersionError,
  MissingSymbolError,
  OrtError,
  OutOfMemoryError,
  ProviderError,
} from "./errors.ts";
