/**
 * A graph in parts that run one after the other: each is given what those before have made. Only
 * what goes from part to part has to be in memory between them, and only one part's weights.
 */
import { applyAll } from "./op.ts";
import { reachable } from "./reachable.ts";
import { scopeAt } from "./scope.ts";
import { asStored } from "./stored_weights.ts";
import { input, type OpNode, storedBytes, type Value } from "./value.ts";
import { weightBehind } from "./weight_views.ts";

/** One part; give it to `toOnnx`. */
export interface GraphPart {
  /** Inputs of the whole graph that the part uses, and results of other parts by their names. */
  readonly inputs: readonly Value[];
  /** What other parts use, and the graph's own results. */
  readonly outputs: Readonly<Record<string, Value>>;
}

/**
 * Cuts the graph of `outputs` where its weights, as stored, exceed `bytes`. Weights that are stored
 * in another type than they have in the graph are declared as stored, and converted within their
 * part whenever it runs: they stay in their files.
 */
export function partition(
  outputs: Readonly<Record<string, Value>>,
  bytes: number,
): GraphPart[] {
  const parts = partsOf(reachable(Object.values(outputs)), bytes);
  const partOf = new Map(parts.flatMap((nodes, i) => nodes.map((node) => [node, i] as const)));
  const cuts = new Map<Value, string>();
  for (const [name, value] of Object.entries(outputs)) cuts.set(value, name);
  parts.forEach((nodes, i) => {
    for (const value of nodes.flatMap(({ inputs }) => inputs)) {
      const made = value && value.node.kind === "op" && !weightBehind(value);
      if (made && partOf.get(value.node as OpNode) !== i && !cuts.has(value)) {
        cuts.set(value, `between_${cuts.size}`);
      }
    }
  });
  return parts.map((nodes) => new PartCopy(nodes, cuts).part());
}

/** The nodes in the order in which they were made, cut by the weights that they are first to use. */
function partsOf(nodes: readonly OpNode[], bytes: number): OpNode[][] {
  const parts: OpNode[][] = [[]], seen = new Set<string>();
  let held = 0;
  for (const node of nodes) {
    // A view of a weight is made again wherever it is used.
    if (node.outputs.some((value) => weightBehind(value))) continue;
    let own = 0;
    for (const value of node.inputs) {
      const weight = value && weightBehind(value);
      if (!weight || seen.has(weight.name)) continue;
      seen.add(weight.name);
      own += storedBytes(weight.source);
    }
    if (held > 0 && held + own > bytes) {
      parts.push([]);
      held = 0;
    }
    held += own;
    parts.at(-1)!.push(node);
  }
  return parts;
}

/** Makes the nodes of a part again, with inputs where it is cut off. */
class PartCopy {
  readonly #own: ReadonlySet<OpNode>;
  readonly #copies = new Map<Value, Value>();
  readonly #inputs: Value[] = [];

  constructor(
    readonly nodes: readonly OpNode[],
    readonly cuts: ReadonlyMap<Value, string>,
  ) {
    this.#own = new Set(nodes);
  }

  part(): GraphPart {
    const outputs: Record<string, Value> = {};
    for (const node of this.nodes) {
      for (const value of node.outputs) {
        const name = this.cuts.get(value);
        if (name !== undefined) outputs[name] = this.#copy(value);
      }
    }
    return { inputs: this.#inputs, outputs };
  }

  #copy(value: Value): Value {
    let copy = this.#copies.get(value);
    if (copy) return copy;
    const { node } = value, weight = weightBehind(value);
    if (weight) copy = asStored(value);
    else if (node.kind === "constant") copy = value;
    else if (node.kind === "op" && this.#own.has(node)) return this.#again(node)[value.index]!;
    else {
      copy = node.kind === "input" ? value : input(this.cuts.get(value)!, value.dtype, value.shape);
      this.#inputs.push(copy);
    }
    this.#copies.set(value, copy);
    return copy;
  }

  #again(node: OpNode): readonly Value[] {
    const inputs = node.inputs.map((value) => value && this.#copy(value));
    const outputs = scopeAt(node.scope, () => applyAll(node.op, inputs, node.attributes));
    node.outputs.forEach((value, i) => this.#copies.set(value, outputs[i]!));
    return outputs;
  }
}
