/** Writes a graph as an ONNX model (onnx.proto; opset 21 and com.microsoft 1). */
import { GraphWriter } from "./graph_writer.ts";
import { create, ModelProtoSchema, toBinary } from "./protobuf.ts";
import type { ExternalInitializer } from "./tensor_table.ts";
import type { Value } from "./value.ts";

export type { ExternalInitializer } from "./tensor_table.ts";

/** What to write, and how. */
export interface OnnxOptions {
  /** Graph inputs in their order; every input that the outputs use must be here. */
  readonly inputs: readonly Value[];
  /** Results by name, in their order. */
  readonly outputs: Readonly<Record<string, Value>>;
  /** Name of the graph; default "graph". */
  readonly name?: string;
  /** Free text by key, kept in the model. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Version of the ONNX operators: 21 (default) to 24. */
  readonly opset?: number;
  /**
   * Folder that the places of weight files are written relative to. Default: the root of the file
   * system, so that one model can use files of several folders.
   */
  readonly externalRoot?: string;
  /**
   * Weights that are declared as inputs as well. A runtime may then be given others at a run, so it
   * takes them for no constants: ONNX Runtime makes no reordered or packed copies of them.
   */
  readonly variable?: ReadonlySet<Value>;
  /** Weights in memory up to this many bytes become part of the model; default 65536. */
  readonly inlineBytes?: number;
}

/** A written model. */
export interface OnnxModel {
  /** The ModelProto. */
  readonly bytes: Uint8Array;
  /** Weights that the model only declares: every one must be supplied, or loading fails. */
  readonly initializers: readonly ExternalInitializer[];
  /**
   * The folder that external data is relative to, for the session config entry
   * "session.model_external_initializers_file_folder_path". Undefined: nothing is external.
   */
  readonly externalRoot: string | undefined;
}

/** The file format version that came with each opset (onnx/helper.py VERSION_TABLE). */
const IR_VERSIONS: Readonly<Record<number, number>> = { 21: 10, 22: 10, 23: 11, 24: 12 };

/**
 * Writes what the outputs reach. The same graph gives the same bytes. Throws RangeError for an input that
 * is not listed, a name used twice, or an opset that the operations here were not checked against.
 */
export function toOnnx(options: OnnxOptions): OnnxModel {
  const { name = "graph", metadata = {}, opset = 21 } = options;
  const irVersion = IR_VERSIONS[opset];
  if (irVersion === undefined) {
    const known = Object.keys(IR_VERSIONS).join(", ");
    throw new RangeError(`Cannot write opset ${opset}: expected one of ${known}.`);
  }
  const writer = new GraphWriter(options);
  const nodes = writer.nodes.map((node) => writer.node(node));
  const model = create(ModelProtoSchema, {
    irVersion: BigInt(irVersion),
    producerName: "latent",
    opsetImport: [
      { domain: "", version: BigInt(opset) },
      ...(writer.usesContrib ? [{ domain: "com.microsoft", version: 1n }] : []),
    ],
    metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
    graph: {
      name,
      node: nodes,
      initializer: writer.tensors.tensors,
      input: [...options.inputs, ...writer.variable].map((value) => writer.valueInfo(value)),
      output: writer.outputs.map((value) => writer.valueInfo(value)),
      valueInfo: writer.intermediates().map((value) => writer.valueInfo(value)),
    },
  });
  const { supplied, externalRoot } = writer.tensors;
  return { bytes: toBinary(ModelProtoSchema, model), initializers: supplied, externalRoot };
}
