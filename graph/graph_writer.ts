/** The nodes of a written graph, and the name of every tensor in it. */
import { attributesOf } from "./attributes.ts";
import { dtypeCode } from "./dtype.ts";
import { NameTable, nodeName } from "./names.ts";
import type { OnnxOptions } from "./onnx_write.ts";
import { identity } from "./ops/elementwise.ts";
import type { MessageInitShape, NodeProtoSchema, ValueInfoProtoSchema } from "./protobuf.ts";
import { leaves, reachable } from "./reachable.ts";
import { TensorTable } from "./tensor_table.ts";
import type { OpNode, Value } from "./value.ts";
import { isLateWeight, weightBehind } from "./weight_views.ts";

type NodeInit = MessageInitShape<typeof NodeProtoSchema>;
type ValueInfoInit = MessageInitShape<typeof ValueInfoProtoSchema>;

/** Names everything once, then turns it into messages. */
export class GraphWriter {
  /** Operations in order, with an Identity for each output that would need two names. */
  readonly nodes: readonly OpNode[];
  /** Results, in order. */
  readonly outputs: readonly Value[];
  /** Weights and constants. */
  readonly tensors: TensorTable;
  readonly #names = new Map<Value, string>();
  readonly #tensorNames = new NameTable();
  readonly #nodeNames = new NameTable();

  /** Weights that are inputs, too: one value for each tensor. */
  readonly variable: readonly Value[];

  /** Names the inputs and outputs first, so that they keep the names they were given. */
  constructor({ inputs, outputs, externalRoot, inlineBytes = 65536, variable }: OnnxOptions) {
    this.tensors = new TensorTable(this.#tensorNames, externalRoot, inlineBytes);
    for (const value of inputs) this.#nameInput(value);
    this.outputs = Object.entries(outputs).map(([name, value]) => this.#nameOutput(name, value));
    this.nodes = reachable(this.outputs).filter((node) =>
      node.outputs.some((value) => this.#names.has(value) || !weightBehind(value))
    );
    for (const leaf of leaves(this.nodes)) this.#leaf(leaf);
    for (const node of this.nodes) this.#nameOutputsOf(node);
    const byName = [...variable ?? []].filter((value) => this.#names.has(value))
      .map((value) => [this.#nameOf(value), value] as const);
    this.variable = [...new Map(byName).values()];
  }

  /** True when an operation is of ONNX Runtime's own. */
  get usesContrib(): boolean {
    return this.nodes.some((node) => node.op.domain === "com.microsoft");
  }

  /** An operation as a message. */
  node(node: OpNode): NodeInit {
    const input = node.inputs.map((value) => value ? this.#nameOf(value) : "");
    while (input.at(-1) === "") input.pop();
    return {
      name: this.#nodeNames.unique(nodeName(node)),
      opType: node.op.type,
      ...(node.op.domain ? { domain: node.op.domain } : {}),
      input,
      output: this.#outputsOf(node),
      attribute: attributesOf(node),
    };
  }

  /** Names of the results, empty for the optional ones between them that nobody asked for. */
  #outputsOf({ op, attributes, outputs }: OpNode): string[] {
    const places = op.places?.(attributes) ?? [...outputs.keys()];
    const names = Array<string>(Math.max(...places) + 1).fill("");
    outputs.forEach((value, i) => names[places[i]!] = this.#nameOf(value));
    return names;
  }

  /** The name and type of a value as a message. */
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

  /**
   * Results of operations that are not results of the graph, and whose shapes are to be known. ONNX
   * Runtime keeps buffers of known size for later tensors of that size: weights that are converted
   * late would stay in memory until others as large are.
   */
  intermediates(): Value[] {
    const outputs = new Set(this.outputs);
    const isTold = (value: Value) => !outputs.has(value) && !isLateWeight(value);
    return this.nodes.flatMap((node) => node.outputs.filter(isTold));
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
    if (value.node.kind !== "input") {
      this.#names.set(value, this.tensors.add(value));
    } else if (!this.#names.has(value)) {
      const { name } = value.node;
      throw new RangeError(`Cannot write graph: it uses input "${name}". List it in inputs.`);
    }
  }
}
