/** The ONNX protobuf messages: onnx-buf (generated from onnx.proto) on protobuf-es. */
export { create, fromBinary, type MessageInitShape, toBinary } from "npm:@bufbuild/protobuf@2.17.0";
export {
  type AttributeProto,
  AttributeProto_AttributeType as AttributeType,
  type AttributeProtoSchema,
  ModelProtoSchema,
  type NodeProtoSchema,
  type TensorProto,
  TensorProto_DataLocation as DataLocation,
  type TensorProtoSchema,
  type ValueInfoProto,
  type ValueInfoProtoSchema,
} from "npm:onnx-buf@1.20.0-1";
