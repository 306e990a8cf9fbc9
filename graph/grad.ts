/**
 * Reverse-mode derivatives. Rules return graph values, so a gradient is a graph like any other: it can
 * be written, run, and differentiated again. What a gradient does not need is never written.
 */
import { isFloating } from "./dtype.ts";
import { lowering } from "./lowering.ts";
import type { Cotangents } from "./op.ts";
import { formatShape, sameShape, type Shape, ShapeError } from "./shape.ts";
import { scopeAt } from "./scope.ts";
import { reachable } from "./reachable.ts";
import { Recomputation, type SegmentOf } from "./recompute.ts";
import { constant, type Inputs, type OpNode, type Value } from "./value.ts";
import { add } from "./ops/arithmetic.ts";
import { identity } from "./ops/elementwise.ts";
import { expandLike, reshape } from "./ops/movement.ts";
import { reduceSum, zeros } from "./ops/reduce.ts";

/** A derivative was asked through an operation that has no rule for it. */
export class GradientError extends Error {
  /** The class name. */
  override readonly name = "GradientError";
  /** `op`: the operation's ONNX type; `at`: the scope where it was made. */
  constructor(readonly op: string, readonly at: string, why: string, options?: ErrorOptions) {
    super(`Cannot differentiate ${op}${at && ` in ${at}`}: ${why}`, options);
  }
}

/** How derivatives are made. */
export interface GradOptions {
  /**
   * The segment that each node is computed again with in the backward pass, so that its results
   * need not be kept until then; undefined for nodes whose results are kept.
   */
  readonly recompute?: SegmentOf;
}

/**
 * Derivatives of `outputs` with respect to each of `wrt`, in its order, each of its shape. `cotangents`
 * weigh the outputs (same shapes); by default 1, which needs a scalar output. A value that the outputs
 * do not depend on has derivative zero. Throws GradientError at an operation without a rule.
 */
export function grad(
  outputs: Value | readonly Value[],
  wrt: readonly Value[],
  cotangents?: readonly Value[],
  options: GradOptions = {},
): Value[] {
  const list = "type" in outputs ? [outputs] : outputs;
  const seeds = list.map((output, i) => seedFor(output, cotangents?.[i]));
  const again = options.recompute && new Recomputation(options.recompute);
  return pullback(list, wrt, seeds, { again }).map((g, i) => {
    const value = wrt[i] as Value;
    return g ?? zeros(value.dtype, value.shape);
  });
}

function seedFor(output: Value, cotangent: Value | undefined): Value {
  if (!cotangent && output.shape.length === 0) return constant(1, [], output.dtype);
  if (cotangent && sameShape(cotangent.shape, output.shape)) return cotangent;
  const shapes = [output.shape, ...(cotangent ? [cotangent.shape] : [])];
  throw new ShapeError(
    "grad",
    shapes,
    cotangent
      ? "a cotangent has its output's shape. Expand it."
      : "an output that is not a scalar needs a cotangent. Give cotangents, or sum it first.",
  );
}

/** A `vjp` that differentiates the same result computed by primitives, from the same inputs. */
export function throughExpansion<I extends Inputs, A extends object>(
  expansion: (inputs: I, attributes: A) => Value,
): (g: Value, node: OpNode<I, A>) => Cotangents {
  return (g, { inputs, attributes }) =>
    lowering("primitive", () => {
      // Copies, so that one tensor in two places, or one made from another, is two variables here.
      const copies = inputs.map((value) => value && identity(value));
      const result = expansion(copies as unknown as I, attributes);
      const present = copies.filter((value) => value !== undefined);
      const found = pullback([result], present, [g], { stop: true });
      return copies.map((copy) => copy && found[present.indexOf(copy)]);
    });
}

/**
 * The reverse pass; `stop`: go no further back than `wrt`; `again`: nodes to compute again. Undefined
 * where nothing flows.
 */
export function pullback(
  outputs: readonly Value[],
  wrt: readonly Value[],
  seeds: readonly Value[],
  { stop = false, again }: { stop?: boolean; again?: Recomputation | undefined },
): (Value | undefined)[] {
  const targets = new Set(wrt);
  const path = nodesBetween(outputs, targets, stop);
  const sums = new Map<Value, Value>();
  const flow = (value: Value, g: Value) => {
    const seen = sums.get(value);
    sums.set(value, seen ? add(seen, g) : g);
  };
  outputs.forEach((output, i) => flow(output, seeds[i] as Value));
  for (const node of [...path].reverse()) {
    if (!node.outputs.some((output) => sums.has(output))) continue;
    const gs = node.outputs.map((output) => sums.get(output) ?? zeros(output.dtype, output.shape));
    scopeAt(
      gradientScope(node),
      () =>
        applyRule(again?.standIn(node, gs[0] as Value) ?? node, gs).forEach((g, i) => {
          const value = node.inputs[i];
          if (!g || !value || !isFloating(value.dtype)) return;
          const wanted = targets.has(value) || (value.node.kind === "op" && path.has(value.node));
          if (wanted) flow(value, sumTo(g, value, node.op.type));
        }),
    );
  }
  return wrt.map((value) => sums.get(value));
}

/** Nodes that lie between the targets and the outputs, in the order they were made. */
export function nodesBetween(
  outputs: readonly Value[],
  targets: ReadonlySet<Value>,
  stop: boolean,
): Set<OpNode> {
  const path = new Set<OpNode>();
  const cut = stop ? targets : undefined;
  for (const node of reachable(outputs, cut)) {
    const leads = node.inputs.some((value) =>
      value && (targets.has(value) || (value.node.kind === "op" && path.has(value.node)))
    );
    if (leads) path.add(node);
  }
  return path;
}

/** "block/conv/grad", also for the gradient of what is already there. */
export function gradientScope({ scope }: OpNode): string {
  if (scope === "") return "grad";
  return /(^|\/)grad$/.test(scope) ? scope : `${scope}/grad`;
}

/** What the rule of a node's operation says of the cotangents of its outputs. */
export function applyRule(node: OpNode, gs: readonly Value[]): Cotangents {
  const { op, scope: at } = node;
  if (op.vjp === "zero") return [];
  if (op.vjp === "none") {
    throw new GradientError(op.type, at, "it has no rule. Build this part from other operations.");
  }
  try {
    return op.vjp(gs[0] as Value, node, gs);
  } catch (cause) {
    if (cause instanceof GradientError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new GradientError(op.type, at, why, { cause });
  }
}

/** Sums a cotangent over the axes along which its value was broadcast. */
export function sumTo(g: Value, value: Value, op: string): Value {
  const shape = value.shape;
  if (sameShape(g.shape, shape)) return g;
  const lead = g.shape.length - shape.length;
  const axes = Array.from(g.shape.keys()).filter((axis) =>
    axis < lead || (shape[axis - lead] === 1 && g.shape[axis] !== 1)
  );
  const summed = reshape(reduceSum(g, { axes, keepDims: true }), trailing(g.shape, axes, lead));
  if (sameShape(summed.shape, shape)) return summed;
  // A rule may return less than the shape where it is constant along an axis.
  const full = expandLike(summed, value);
  if (sameShape(full.shape, shape)) return full;
  throw new ShapeError(op, [g.shape, shape], `a cotangent does not fit ${formatShape(shape)}.`);
}

function trailing(shape: Shape, summed: readonly number[], lead: number): Shape {
  return shape.map((dim, axis) => summed.includes(axis) ? 1 : dim).slice(Math.max(lead, 0));
}
