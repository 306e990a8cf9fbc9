/**
 * Forward-mode derivatives: how far outputs move when inputs move in a given direction. One pass
 * over the graph, whatever the number of outputs; `grad` is the one for many inputs.
 *
 * A rule of `grad` maps a cotangent linearly to those of the inputs; the transpose of that map is the
 * forward rule. So it is had by differentiating the rule by its cotangent, and what the rule computes
 * of the cotangent itself is never reached. Operations say their own forward rule where that is
 * shorter, or where they have no other.
 */
import { isFloating } from "./dtype.ts";
import { applyRule, gradientScope, nodesBetween, pullback, sumTo } from "./grad.ts";
import { scopeAt } from "./scope.ts";
import { sameShape, ShapeError } from "./shape.ts";
import { constant, type OpNode, type Value } from "./value.ts";
import { add } from "./ops/arithmetic.ts";
import { expandLike } from "./ops/movement.ts";

/**
 * The derivative of each output in the direction in which the inputs move by `tangents` (one each, of
 * their shapes): the Jacobian times the direction. An output that does not move has derivative zero.
 * Throws GradientError at an operation without a rule, ShapeError for a tangent that does not fit.
 */
export function jvp(
  outputs: readonly Value[],
  inputs: readonly Value[],
  tangents: readonly Value[],
): Value[] {
  const moves = new Map<Value, Value>();
  const move = (value: Value, tangent: Value) => {
    const seen = moves.get(value);
    moves.set(value, seen ? add(seen, tangent) : tangent);
  };
  inputs.forEach((value, i) => move(value, fitting(value, tangents[i])));
  for (const node of nodesBetween(outputs, new Set(inputs), false)) {
    const own = node.inputs.map((value) => value && moves.get(value));
    if (!own.some((tangent) => tangent)) continue;
    scopeAt(gradientScope(node), () =>
      push(node, own).forEach((tangent, i) => {
        if (tangent) move(node.outputs[i] as Value, tangent);
      }));
  }
  return outputs.map((output) => moves.get(output) ?? nothing(output));
}

function fitting(value: Value, tangent: Value | undefined): Value {
  if (tangent && sameShape(tangent.shape, value.shape)) return tangent;
  const shapes = [value.shape, ...(tangent ? [tangent.shape] : [])];
  throw new ShapeError("jvp", shapes, "each input needs a tangent of its shape. Expand it.");
}

/** The tangents of a node's outputs; undefined where one does not move. */
function push(
  node: OpNode,
  tangents: readonly (Value | undefined)[],
): readonly (Value | undefined)[] {
  const { op } = node;
  if (op.jvp) return op.jvp(tangents, node);
  if (op.vjp === "zero") return [];
  // The rule is linear: where it is differentiated does not matter.
  const at = node.outputs.map(nothing);
  const cotangents = applyRule(node, at);
  const ends: Value[] = [], directions: Value[] = [];
  tangents.forEach((tangent, i) => {
    const g = cotangents[i], value = node.inputs[i];
    if (!tangent || !g || !value || !isFloating(value.dtype)) return;
    ends.push(sumTo(g, value, op.type));
    directions.push(tangent);
  });
  return pullback(ends, at, directions, {});
}

/** Zeros of a value's shape, as a value of its own. */
function nothing(like: Value): Value {
  return expandLike(constant(0, [], like.dtype), like);
}
