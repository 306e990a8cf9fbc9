/** ONNX graphs as values: build with functions, differentiate, write. */
export { type DType, dtypes, type FileDType, type NumericArray } from "./dtype.ts";
export { type Dim, type Shape, ShapeError } from "./shape.ts";
export {
  constant,
  type ConstantNode,
  initializer,
  type InitializerNode,
  type InitializerSource,
  input,
  type InputNode,
  type Inputs,
  type Node,
  type OpNode,
  type TensorType,
  Value,
} from "./value.ts";
export type {
  AttributeKind,
  Attributes,
  Cotangents,
  Jvp,
  OpDef,
  Tangents,
  TypesOf,
  Vjp,
} from "./op.ts";
export { scope } from "./scope.ts";
export { type Lowering, lowering } from "./lowering.ts";
export { forGpu } from "./for_gpu.ts";
export { withoutContrib } from "./expand.ts";
export { grad, GradientError, type GradOptions } from "./grad.ts";
export { jvp } from "./jvp.ts";
export { castAfter } from "./late_weight.ts";
export type { SegmentOf } from "./recompute.ts";
export {
  type ExternalInitializer,
  type OnnxModel,
  type OnnxOptions,
  toOnnx,
} from "./onnx_write.ts";
export {
  type OnnxAttribute,
  OnnxFormatError,
  type OnnxGraph,
  type OnnxInitializer,
  type OnnxNode,
  type OnnxValue,
  readOnnx,
} from "./onnx_read.ts";
export { leaves, reachable } from "./reachable.ts";
export * from "./ops/activation.ts";
export * from "./ops/arithmetic.ts";
export * from "./ops/attention.ts";
export * from "./ops/conv.ts";
export * from "./ops/elementwise.ts";
export * from "./ops/indexing.ts";
export * from "./ops/join.ts";
export * from "./ops/linalg.ts";
export * from "./ops/movement.ts";
export * from "./ops/normalization.ts";
export * from "./ops/quantized.ts";
export * from "./ops/reduce.ts";
export * from "./ops/resize.ts";
export * from "./ops/winograd.ts";
