/**
 * Gradient checkpointing (Chen et al. 2016, arXiv:1604.06174): between the forward and the backward
 * pass only what goes from one segment to the next is kept; a segment is computed again, from what
 * goes into it, when the backward pass arrives there.
 */
import { applyAll } from "./op.ts";
import { scopeAt } from "./scope.ts";
import { fixedShape } from "./shape.ts";
import { type Inputs, int64s, type OpNode, type Value } from "./value.ts";
import { add, mul } from "./ops/arithmetic.ts";
import { cast } from "./ops/elementwise.ts";
import { slice } from "./ops/join.ts";
import { reshape, reshapeTo } from "./ops/movement.ts";

/** The segment that a node is computed again with; undefined: its results are kept. */
export type SegmentOf = (node: OpNode) => string | undefined;

/** Nodes computed again, by segment. */
export class Recomputation {
  readonly #segmentOf: SegmentOf;
  readonly #again = new Map<OpNode, OpNode>();
  readonly #arrivals = new Map<string, Value>();
  readonly #tied = new Map<string, Map<Value, Value>>();

  /** Takes the division into segments. */
  constructor(segmentOf: SegmentOf) {
    this.#segmentOf = segmentOf;
  }

  /** The node to differentiate in place of `node`, whose result has the cotangent `g`. */
  standIn(node: OpNode, g: Value): OpNode {
    const segment = this.#segmentOf(node);
    if (segment === undefined) return node;
    if (!this.#arrivals.has(segment)) this.#arrivals.set(segment, g);
    return this.#copy(node, segment);
  }

  #copy(node: OpNode, segment: string): OpNode {
    const known = this.#again.get(node);
    if (known) return known;
    const inputs: Inputs = node.inputs.map((value) => value && this.#value(value, segment));
    const outputs = scopeAt(
      `${node.scope}/again`,
      () => applyAll(node.op, inputs, node.attributes),
    );
    const copy = outputs[0]!.node as OpNode;
    this.#again.set(node, copy);
    return copy;
  }

  #value(value: Value, segment: string): Value {
    const { node } = value;
    if (node.kind !== "op") return value;
    if (this.#segmentOf(node) === segment) return this.#copy(node, segment).outputs[value.index]!;
    if (!dependsOnRun(value)) return value;
    const tied = this.#tied.get(segment) ?? new Map<Value, Value>();
    this.#tied.set(segment, tied);
    const known = tied.get(value) ?? after(value, this.#arrivals.get(segment)!);
    tied.set(value, known);
    return known;
  }
}

/** Integers and bools, such as masks and positions, are small: kept as they are. */
function dependsOnRun({ dtype }: Value): boolean {
  return dtype.startsWith("float") || dtype === "bfloat16";
}

/**
 * `x`, but not before `g` is there: otherwise nothing would keep a runtime from computing the
 * segment again at once, and holding its results until then. What ties the two is the shape, which
 * is computed from `g`: nothing is copied.
 */
export function after(x: Value, g: Value): Value {
  const axes = g.shape.map((_, i) => i);
  const first = axes.length === 0 ? g : slice(g, axes.map(() => 0), axes.map(() => 1), axes);
  const nothing = mul(cast(reshape(first, [1]), "int64"), 0);
  const sizes = fixedShape("after", x.shape);
  return reshapeTo(x, add(int64s(sizes), nothing), x.shape);
}
