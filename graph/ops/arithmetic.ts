/** Elementwise operations of two tensors, with broadcasting, and `where`. */
import { apply, expectKind, type Kind, type OpDef, opTable, sameDtype } from "../op.ts";
import { broadcastShapes } from "../shape.ts";
import { constant, type Value } from "../value.ts";
import { log, neg } from "./elementwise.ts";

/** A tensor, or a number that takes the other operand's dtype. */
export type Operand = Value | number;

type Pair = readonly [Value, Value];

function arithmetic(type: string, vjp: OpDef<Pair, object>["vjp"]): OpDef<Pair, object> {
  return {
    type,
    infer: (types) => [{
      dtype: sameDtype(type, types),
      shape: broadcastShapes(type, types[0].shape, types[1].shape),
    }],
    vjp,
  };
}

function comparison(type: string, kind: Kind = "any"): OpDef<Pair, object> {
  return {
    type,
    infer: (types) => {
      expectKind(type, sameDtype(type, types), kind);
      return [{ dtype: "bool", shape: broadcastShapes(type, types[0].shape, types[1].shape) }];
    },
    vjp: "zero",
  };
}

const ops = {
  add: arithmetic("Add", (g) => [g, g]),
  sub: arithmetic("Sub", (g) => [g, neg(g)]),
  mul: arithmetic("Mul", (g, { inputs: [a, b] }) => [mul(g, b), mul(g, a)]),
  // d(a/b) = da/b - (a/b) db/b
  div: arithmetic("Div", (g, { inputs: [, b], outputs: [y] }) => {
    const ga = div(g, b);
    return [ga, neg(mul(ga, y as Value))];
  }),
  // d(a^b) = b a^(b-1) da + a^b ln(a) db
  pow: arithmetic("Pow", (g, { inputs: [a, b], outputs: [y] }) => [
    mul(g, mul(b, pow(a, sub(b, 1)))),
    mul(g, mul(y as Value, log(a))),
  ]),
  min: arithmetic("Min", (g, { inputs: [a, b] }) => choose(lessOrEqual(a, b), g)),
  max: arithmetic("Max", (g, { inputs: [a, b] }) => choose(greaterOrEqual(a, b), g)),
  equal: comparison("Equal"),
  less: comparison("Less"),
  lessOrEqual: comparison("LessOrEqual"),
  greater: comparison("Greater"),
  greaterOrEqual: comparison("GreaterOrEqual"),
  and: comparison("And", "bool"),
  or: comparison("Or", "bool"),
};

const select: OpDef<readonly [Value, Value, Value], object> = {
  type: "Where",
  infer: ([condition, a, b]) => [{
    dtype: sameDtype("Where", [a, b]),
    shape: broadcastShapes("Where", condition.shape, a.shape, b.shape),
  }],
  vjp: (g, { inputs: [condition] }) => [null, ...choose(condition, g)],
};

/** The cotangent where the condition holds, and where it does not. */
function choose(condition: Value, g: Value): [Value, Value] {
  return [where(condition, g, 0), where(condition, 0, g)];
}

/** Two operands as tensors of one dtype; throws TypeError when both are numbers. */
function operands(op: string, a: Operand, b: Operand): Pair {
  if (typeof a !== "number") return [a, typeof b === "number" ? constant(b, [], a.dtype) : b];
  if (typeof b !== "number") return [constant(a, [], b.dtype), b];
  throw new TypeError(
    `Cannot apply ${op}: got two numbers, expected a Value. Compute it in plain code.`,
  );
}

function binary(def: OpDef<Pair, object>): (a: Operand, b: Operand) => Value {
  return (a, b) => apply(def, operands(def.type, a, b), {});
}

/** `a + b` */
export const add: (a: Operand, b: Operand) => Value = binary(ops.add);
/** `a - b` */
export const sub: (a: Operand, b: Operand) => Value = binary(ops.sub);
/** `a * b`, element by element */
export const mul: (a: Operand, b: Operand) => Value = binary(ops.mul);
/** `a / b`; integers truncate toward zero */
export const div: (a: Operand, b: Operand) => Value = binary(ops.div);
/** `a` to the power `b` */
export const pow: (a: Operand, b: Operand) => Value = binary(ops.pow);
/** The smaller of each pair */
export const min: (a: Operand, b: Operand) => Value = binary(ops.min);
/** The larger of each pair */
export const max: (a: Operand, b: Operand) => Value = binary(ops.max);
/** bool: `a == b` */
export const equal: (a: Operand, b: Operand) => Value = binary(ops.equal);
/** bool: `a < b` */
export const less: (a: Operand, b: Operand) => Value = binary(ops.less);
/** bool: `a <= b` */
export const lessOrEqual: (a: Operand, b: Operand) => Value = binary(ops.lessOrEqual);
/** bool: `a > b` */
export const greater: (a: Operand, b: Operand) => Value = binary(ops.greater);
/** bool: `a >= b` */
export const greaterOrEqual: (a: Operand, b: Operand) => Value = binary(ops.greaterOrEqual);
/** bool: both hold */
export const and: (a: Value, b: Value) => Value = binary(ops.and);
/** bool: at least one holds */
export const or: (a: Value, b: Value) => Value = binary(ops.or);

/** `a` where the bool condition holds, else `b`; all three broadcast. */
export function where(condition: Value, a: Operand, b: Operand): Value {
  expectKind("Where", condition.dtype, "bool");
  return apply(select, [condition, ...operands("Where", a, b)], {});
}

/** Every two-operand operation, for tables of tests. */
export const arithmeticOps: readonly OpDef[] = opTable(...Object.values(ops), select);
