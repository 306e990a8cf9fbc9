/** Reads an ONNX model as plain data: what `explain` prints and tests look at. */
import { byteSize, type DType, dtypeOfCode } from "./dtype.ts";
import {
  type AttributeProto,
  AttributeType,
  DataLocation,
  fromBinary,
  ModelProtoSchema,
  type TensorProto,
  type ValueInfoProto,
} from "./protobuf.ts";
import type { Dim } from "./shape.ts";

/** A tensor of a model; undefined where the model does not say. */
export interface OnnxValue {
  /** Its name. */
  readonly name: string;
  /** Element type; undefined for one that graphs here do not use. */
  readonly dtype: DType | undefined;
  /** Sizes; undefined when the rank is not known. "?" for a size that is not known. */
  readonly shape: readonly Dim[] | undefined;
}

/** A weight or constant of a model. */
export interface OnnxInitializer extends OnnxValue {
  /** Sizes. */
  readonly shape: readonly number[];
  /** Bytes in the model, or where they are. */
  readonly source:
    | { readonly data: Uint8Array }
    | { readonly location: string; readonly offset: number; readonly byteLength?: number };
}

/** An attribute: a number, text, or a list of them; undefined for tensors and subgraphs. */
export type OnnxAttribute = number | string | readonly number[] | readonly string[] | undefined;

/** One operation of a model. */
export interface OnnxNode {
  /** Its name, with the scope it was made in. */
  readonly name: string;
  /** op_type */
  readonly type: string;
  /** "" is the standard. */
  readonly domain: string;
  /** Names of the tensors it takes, "" where one is left out. */
  readonly inputs: readonly string[];
  /** Names of the tensors it makes. */
  readonly outputs: readonly string[];
  /** Attributes by name. */
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** A model as plain data. */
export interface OnnxGraph {
  /** Name of the graph. */
  readonly name: string;
  /** What wrote it. */
  readonly producer: string;
  /** Version of the operators by domain. */
  readonly opsets: Readonly<Record<string, number>>;
  /** Free text by key. */
  readonly metadata: Readonly<Record<string, string>>;
  /** What is fed. */
  readonly inputs: readonly OnnxValue[];
  /** What comes out. */
  readonly outputs: readonly OnnxValue[];
  /** Weights and constants. */
  readonly initializers: readonly OnnxInitializer[];
  /** Operations, in an order in which they can run. */
  readonly nodes: readonly OnnxNode[];
  /** What the model says about the tensors between. */
  readonly intermediates: readonly OnnxValue[];
}

/** Bytes are not an ONNX model. */
export class OnnxFormatError extends Error {
  /** The class name. */
  override readonly name = "OnnxFormatError";
}

/** Parses a ModelProto; throws OnnxFormatError when the bytes are not one. */
export function readOnnx(bytes: Uint8Array): OnnxGraph {
  const model = parse(bytes);
  const { graph } = model;
  if (!graph) {
    throw new OnnxFormatError("Cannot read ONNX model: it holds no graph. Check the file.");
  }
  return {
    name: graph.name,
    producer: model.producerName,
    opsets: Object.fromEntries(
      model.opsetImport.map(({ domain, version }) => [domain, Number(version)]),
    ),
    metadata: Object.fromEntries(model.metadataProps.map(({ key, value }) => [key, value])),
    inputs: graph.input.map(valueOf),
    outputs: graph.output.map(valueOf),
    initializers: graph.initializer.map(initializerOf),
    nodes: graph.node.map((node) => ({
      name: node.name,
      type: node.opType,
      domain: node.domain,
      inputs: node.input,
      outputs: node.output,
      attributes: Object.fromEntries(node.attribute.map((a) => [a.name, attributeOf(a)])),
    })),
    intermediates: graph.valueInfo.map(valueOf),
  };
}

function parse(bytes: Uint8Array) {
  try {
    return fromBinary(ModelProtoSchema, bytes);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new OnnxFormatError(`Cannot read ONNX model: ${why}. Check that it is an .onnx file.`, {
      cause,
    });
  }
}

function valueOf({ name, type }: ValueInfoProto): OnnxValue {
  const tensor = type?.value.case === "tensorType" ? type.value.value : undefined;
  const shape = tensor?.shape?.dim.map(({ value }) => {
    if (value.case === "dimValue") return Number(value.value);
    return value.case === "dimParam" ? value.value : "?";
  });
  return { name, dtype: tensor && dtypeOfCode(tensor.elemType), shape };
}

function initializerOf(tensor: TensorProto): OnnxInitializer {
  const { name, dataType, dims } = tensor;
  return {
    name,
    dtype: dtypeOfCode(dataType),
    shape: dims.map(Number),
    source: tensor.dataLocation === DataLocation.EXTERNAL
      ? externalSource(tensor)
      : { data: inlineBytes(tensor) },
  };
}

function externalSource({ externalData }: TensorProto) {
  const entry = (key: string) => externalData.find((one) => one.key === key)?.value;
  const length = entry("length");
  return {
    location: entry("location") ?? "",
    offset: Number(entry("offset") ?? 0),
    ...(length === undefined ? {} : { byteLength: Number(length) }),
  };
}

/** Bytes of a tensor that other writers may have put into a typed field. */
function inlineBytes(
  { dataType, rawData, floatData, int64Data, int32Data, doubleData }: TensorProto,
): Uint8Array {
  if (floatData.length) return new Uint8Array(Float32Array.from(floatData).buffer);
  if (int64Data.length) return new Uint8Array(BigInt64Array.from(int64Data).buffer);
  if (doubleData.length) return new Uint8Array(Float64Array.from(doubleData).buffer);
  if (int32Data.length === 0) return rawData;
  // int32_data also holds the smaller integers, bool, and the bits of 16-bit floats.
  const size = byteSize(dtypeOfCode(dataType) ?? "int32");
  if (size === 1) return Uint8Array.from(int32Data);
  return new Uint8Array((size === 2 ? Uint16Array : Int32Array).from(int32Data).buffer);
}

const text = new TextDecoder();

function attributeOf(attribute: AttributeProto): OnnxAttribute {
  switch (attribute.type) {
    case AttributeType.INT:
      return Number(attribute.i);
    case AttributeType.FLOAT:
      return attribute.f;
    case AttributeType.STRING:
      return text.decode(attribute.s);
    case AttributeType.INTS:
      return attribute.ints.map(Number);
    case AttributeType.FLOATS:
      return attribute.floats;
    case AttributeType.STRINGS:
      return attribute.strings.map((one) => text.decode(one));
  }
  return undefined;
}
