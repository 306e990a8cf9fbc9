/** ONNX graphs as values: build with functions, differentiate, write. */
export { type DType, dtypes, type NumericArray } from "./dtype.ts";
export { type Dim, type Shape, ShapeError } from "./shape.ts";
export {
  constant,
  initializer,
  type InitializerSource,
  input,
  type Node,
  type OpNode,
  type TensorType,
  Value,
} from "./value.ts";
export { type Attributes, type OpDef } from "./op.ts";
export { scope } from "./scope.ts";
export { type Lowering, lowering } from "./lowering.ts";
export { grad, GradientError } from "./grad.ts";
export {
  type ExternalInitializer,
  type OnnxModel,
  type OnnxOptions,
  toOnnx,
} from "./onnx_write.ts";
export { OnnxFormatError, type OnnxGraph, type OnnxNode, readOnnx } from "./onnx_read.ts";
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
export * from "./ops/reduce.ts";
export * from "./ops/resize.ts";
