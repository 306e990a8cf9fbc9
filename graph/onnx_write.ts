/** Writes a graph as an ONNX model (onnx.proto; opset 21 and com.microsoft 1). */
import { dtypeCode } from "./dtype.ts";
import { externalPlace, rootOf } from "./external_data.ts";
import { constantName, NameTable, nodeName } from "./names.ts";
import type { AttributeKind } from "./op.ts";
import { identity } from "./ops/elementwise.ts";
import {
  type AttributeProtoSchema,
  AttributeType,
  create,
  DataLocation,
  type MessageInitShape,
  ModelProtoSchema,
  type NodeProtoSchema,
  type TensorProtoSchema,
  toBinary,
  type ValueInfoProtoSchema,
} from "./protobuf.ts";
import { leaves, reachable } from "./reachable.ts";
import type { InitializerNode, InitializerSource, OpNode, TensorType, Value } from "./value.ts";
import { weightBehind } from "./weight_views.ts";

type NodeInit = MessageInitShape<typeof NodeProtoSchema>;
type TensorInit = MessageInitShape<typeof TensorProtoSchema>;
type ValueInfoInit = MessageInitShape<typeof ValueInfoProtoSchema>;

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
  /** Weights in memory up to this many bytes become part of the model; default 65536. */
  readonly inlineBytes?: number;
}

/** A weight that must be supplied from memory when the session is built (AddInitializer). */
export interface ExternalInitializer {
  /** Its name in the model. */
  readonly name: string;
  /** The type to supply it in. */
  readonly type: TensorType;
  /** Where its bytes are; convert from `storedAs` where that is given. */
  readonly source: InitializerSource;
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
      initializer: writer.tensors,
      input: options.inputs.map((value) => writer.valueInfo(value)),
      output: writer.outputs.map((value) => writer.valueInfo(value)),
      valueInfo: writer.intermediates().map((value) => writer.valueInfo(value)),
    },
  });
  const { supplied, externalRoot } = writer;
  return { bytes: toBinary(ModelProtoSchema, model), initializers: supplied, externalRoot };
}

/** Names everything once, then turns it into messages. */
class GraphWriter {
  /** Operations in order, with an Identity for each output that would need two names. */
  readonly nodes: readonly OpNode[];
  readonly outputs: readonly Value[];
  readonly tensors: TensorInit[] = [];
  readonly supplied: ExternalInitializer[] = [];
  externalRoot: string | undefined;
  readonly #names = new Map<Value, string>();
  readonly #tensorNames = new NameTable();
  readonly #nodeNames = new NameTable();
  /** Names of tensors by content, so that equal ones are written once. */
  readonly #written = new Map<string, string>();
  readonly #inlineBytes: number;

  constructor({ inputs, outputs, externalRoot, inlineBytes = 65536 }: OnnxOptions) {
    this.externalRoot = externalRoot;
    this.#inlineBytes = inlineBytes;
    for (const value of inputs) this.#nameInput(value);
    this.outputs = Object.entries(outputs).map(([name, value]) => this.#nameOutput(name, value));
    this.nodes = reachable(this.outputs).filter((node) =>
      node.outputs.some((value) => this.#names.has(value) || !weightBehind(value))
    );
    for (const leaf of leaves(this.nodes)) this.#leaf(leaf);
    for (const node of this.nodes) this.#nameOutputsOf(node);
    if (!this.tensors.some((tensor) => tensor.externalData)) this.externalRoot = undefined;
  }

  get usesContrib(): boolean {
    return this.nodes.some((node) => node.op.domain === "com.microsoft");
  }

  node(node: OpNode): NodeInit {
    const input = node.inputs.map((value) => value ? this.#nameOf(value) : "");
    while (input.at(-1) === "") input.pop();
    return {
      name: this.#nodeNames.unique(nodeName(node)),
      opType: node.op.type,
      ...(node.op.domain ? { domain: node.op.domain } : {}),
      input,
      output: node.outputs.map((value) => this.#nameOf(value)),
      attribute: attributesOf(node),
    };
  }

  valueInfo(value: Value): ValueInfoInit {
    const dim = value.shape.map((size) => ({
      value: typeof size === "number"
        ? { case: "dimValue" as const, value: BigInt(size) }
        : { case: "dimParam" as const, value: size },
    }));
    const tensorType = { elemType: dtypeCode(value.dtype), shape: { dim } };
    return {
      name: this.#nameOf(value),
      type: { value: { case: "tensorType", value: tensorType } },
    };
  }

  /** Results of operations that are not results of the graph. */
  intermediates(): Value[] {
    const outputs = new Set(this.outputs);
    return this.nodes.flatMap((node) => node.outputs.filter((value) => !outputs.has(value)));
  }

  #nameInput(value: Value): void {
    if (value.node.kind !== "input") {
      throw new RangeError(
        `Cannot write graph: an input is made by ${value.node.kind}. Use input().`,
      );
    }
    this.#names.set(value, this.#tensorNames.reserve(value.node.name, "input"));
  }

  #nameOutput(name: string, value: Value): Value {
    const output = value.node.kind === "op" && !this.#names.has(value) ? value : identity(value);
    this.#names.set(output, this.#tensorNames.reserve(name, "output"));
    return output;
  }

  #nameOutputsOf(node: OpNode): void {
    for (const value of node.outputs) {
      if (this.#names.has(value)) continue;
      const base = value.index === 0 ? nodeName(node) : `${nodeName(node)}:${value.index}`;
      this.#names.set(value, this.#tensorNames.unique(value.name ?? base));
    }
  }

  #nameOf(value: Value): string {
    return this.#names.get(value) as string;
  }

  #leaf(value: Value): void {
    const { node } = value;
    if (node.kind === "input") {
      if (this.#names.has(value)) return;
      throw new RangeError(`Cannot write graph: it uses input "${node.name}". List it in inputs.`);
    }
    if (node.kind === "constant") {
      const name = value.name ?? constantName(value, node.data);
      return this.#write(value, name, node, Infinity);
    }
    const weight = weightBehind(value) as InitializerNode;
    const name = value.node === weight ? weight.name : `${weight.name}:${value.shape.join("x")}`;
    this.#write(value, name, weight.source, this.#inlineBytes);
  }

  /** Writes a tensor, unless an equal one is there already. */
  #write(value: Value, name: string, source: InitializerSource, inline: number): void {
    const key = contentKey(value.type, source);
    const equal = key && this.#written.get(key);
    const written = equal || this.#tensorNames.unique(name);
    this.#names.set(value, written);
    if (equal) return;
    if (key) this.#written.set(key, written);
    this.tensors.push(this.#tensor(written, value.type, source, inline));
  }

  #tensor(name: string, type: TensorType, source: InitializerSource, inline: number): TensorInit {
    const head = {
      name,
      dataType: dtypeCode(type.dtype),
      dims: type.shape.map((dim) => BigInt(dim)),
    };
    if ("data" in source && source.data.byteLength <= inline) {
      return { ...head, rawData: source.data as Uint8Array<ArrayBuffer> };
    }
    const external = { ...head, dataLocation: DataLocation.EXTERNAL };
    if ("data" in source || source.storedAs !== undefined) {
      this.supplied.push({ name, type, source });
      // ONNX Runtime only looks whether the place exists; a folder cannot be read by mistake.
      return { ...external, externalData: [{ key: "location", value: "." }] };
    }
    this.externalRoot ??= rootOf(source.file);
    return { ...external, externalData: externalPlace(this.externalRoot, source) };
  }
}

/** Equal for tensors of equal content; undefined for large ones in memory, which are not compared. */
function contentKey(type: TensorType, source: InitializerSource): string | undefined {
  const kind = `${type.dtype}[${type.shape}]`;
  if ("file" in source) {
    return `${kind}${source.storedAs ?? ""}@${source.offset}:${source.file}`;
  }
  return source.data.byteLength <= 4096 ? `${kind}${source.data}` : undefined;
}

function attributesOf({ op, attributes }: OpNode): MessageInitShape<typeof AttributeProtoSchema>[] {
  const kinds = Object.entries(op.attributes ?? {}) as [string, AttributeKind][];
  return kinds.flatMap(([name, kind]) => {
    const value = attributes[name];
    return value === undefined ? [] : [{ name, ...attributeValue(kind, value) }];
  });
}

const text = new TextEncoder();

function attributeValue(kind: AttributeKind, value: unknown) {
  switch (kind) {
    case "int":
      return { type: AttributeType.INT, i: BigInt(value as number) };
    case "float":
      return { type: AttributeType.FLOAT, f: value as number };
    case "string":
      return { type: AttributeType.STRING, s: text.encode(value as string) };
    case "ints":
      return { type: AttributeType.INTS, ints: (value as readonly number[]).map(BigInt) };
    case "floats":
      return { type: AttributeType.FLOATS, floats: [...value as readonly number[]] };
  }
}
