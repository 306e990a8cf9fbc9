/** Elementwise operations of one tensor. */
import { type DType, dtypeCode, isFloating } from "../dtype.ts";
import { apply, expectKind, type Kind, type OpDef, opTable } from "../op.ts";
import { constant, type Value } from "../value.ts";
import { and, div, greater, greaterOrEqual, lessOrEqual, mul, sub, where } from "./arithmetic.ts";

/** `x` the input, `y` the result, `g` the cotangent of `y`. */
type Rule = ((g: Value, x: Value, y: Value) => Value) | "zero";

function unaryOp(type: string, rule: Rule, kind: Kind = "float"): OpDef<readonly [Value], object> {
  return {
    type,
    infer: ([x]) => {
      expectKind(type, x.dtype, kind);
      return [x];
    },
    vjp: rule === "zero" ? "zero" : (g, { inputs: [x], outputs: [y] }) => [rule(g, x, y as Value)],
  };
}

const ops = {
  neg: unaryOp("Neg", (g) => neg(g), "any"),
  abs: unaryOp("Abs", (g, x) => mul(g, sign(x)), "any"),
  sign: unaryOp("Sign", "zero", "any"),
  floor: unaryOp("Floor", "zero"),
  ceil: unaryOp("Ceil", "zero"),
  round: unaryOp("Round", "zero"),
  reciprocal: unaryOp("Reciprocal", (g, _x, y) => neg(mul(g, mul(y, y)))),
  sqrt: unaryOp("Sqrt", (g, _x, y) => div(mul(g, 0.5), y)),
  exp: unaryOp("Exp", (g, _x, y) => mul(g, y)),
  log: unaryOp("Log", (g, x) => div(g, x)),
  sin: unaryOp("Sin", (g, x) => mul(g, cos(x))),
  cos: unaryOp("Cos", (g, x) => neg(mul(g, sin(x)))),
  // d erf(x) = 2/sqrt(pi) exp(-x^2) dx
  erf: unaryOp("Erf", (g, x) => mul(mul(g, 2 / Math.sqrt(Math.PI)), exp(neg(mul(x, x))))),
  sigmoid: unaryOp("Sigmoid", (g, _x, y) => mul(g, mul(y, sub(1, y)))),
  tanh: unaryOp("Tanh", (g, _x, y) => mul(g, sub(1, mul(y, y)))),
  relu: unaryOp("Relu", (g, x) => where(greater(x, 0), g, 0)),
  softplus: unaryOp("Softplus", (g, x) => mul(g, sigmoid(x))),
  not: unaryOp("Not", "zero", "bool"),
  identity: unaryOp("Identity", (g) => g, "any"),
};

const leakyReluOp: OpDef<readonly [Value], { alpha: number }> = {
  type: "LeakyRelu",
  attributes: { alpha: "float" },
  infer: ([x]) => [x],
  vjp: (g, { inputs: [x], attributes: { alpha } }) => [where(greater(x, 0), g, mul(g, alpha))],
};

const clipOp: OpDef<readonly [Value, Value, Value], { low: number; high: number }> = {
  type: "Clip",
  infer: ([x]) => [x],
  vjp: (g, { inputs: [x], attributes: { low, high } }) => [
    where(and(greaterOrEqual(x, low), lessOrEqual(x, high)), g, 0),
  ],
};

const castOp: OpDef<readonly [Value], { to: number; dtype: DType }> = {
  type: "Cast",
  attributes: { to: "int" },
  infer: ([x], { dtype }) => [{ dtype, shape: x.shape }],
  vjp: (g, { inputs: [x], attributes: { dtype } }) => [
    isFloating(x.dtype) && isFloating(dtype) ? cast(g, x.dtype) : null,
  ],
};

function unary(def: OpDef<readonly [Value], object>): (x: Value) => Value {
  return (x) => apply(def, [x], {});
}

/** `-x` */
export const neg: (x: Value) => Value = unary(ops.neg);
/** `|x|` */
export const abs: (x: Value) => Value = unary(ops.abs);
/** -1, 0 or 1 */
export const sign: (x: Value) => Value = unary(ops.sign);
/** Largest integer not above */
export const floor: (x: Value) => Value = unary(ops.floor);
/** Smallest integer not below */
export const ceil: (x: Value) => Value = unary(ops.ceil);
/** Nearest integer, halves to even */
export const round: (x: Value) => Value = unary(ops.round);
/** `1 / x` */
export const reciprocal: (x: Value) => Value = unary(ops.reciprocal);
/** Square root */
export const sqrt: (x: Value) => Value = unary(ops.sqrt);
/** `e^x` */
export const exp: (x: Value) => Value = unary(ops.exp);
/** Natural logarithm */
export const log: (x: Value) => Value = unary(ops.log);
/** Sine */
export const sin: (x: Value) => Value = unary(ops.sin);
/** Cosine */
export const cos: (x: Value) => Value = unary(ops.cos);
/** The error function */
export const erf: (x: Value) => Value = unary(ops.erf);
/** `1 / (1 + e^-x)` */
export const sigmoid: (x: Value) => Value = unary(ops.sigmoid);
/** Hyperbolic tangent */
export const tanh: (x: Value) => Value = unary(ops.tanh);
/** `max(x, 0)`; its derivative at 0 is 0 */
export const relu: (x: Value) => Value = unary(ops.relu);
/** `log(1 + e^x)` */
export const softplus: (x: Value) => Value = unary(ops.softplus);
/** bool: the opposite */
export const not: (x: Value) => Value = unary(ops.not);
/** The same tensor as another value, to give it a name or a place in the graph */
export const identity: (x: Value) => Value = unary(ops.identity);

/** `x` above 0, `alpha * x` below. */
export function leakyRelu(x: Value, alpha = 0.01): Value {
  return apply(leakyReluOp, [x], { alpha });
}

/** Limits `x` to `low..high`; the derivative is 1 inside, bounds included, else 0. */
export function clip(x: Value, low: number, high: number): Value {
  const bounds = [constant(low, [], x.dtype), constant(high, [], x.dtype)] as const;
  return apply(clipOp, [x, ...bounds], { low, high });
}

/** Converts the element type; float to integer truncates. Returns `x` itself if it has that type. */
export function cast(x: Value, dtype: DType): Value {
  return x.dtype === dtype ? x : apply(castOp, [x], { to: dtypeCode(dtype), dtype });
}

/** Every one-operand operation, for tables of tests. */
export const elementwiseOps: readonly OpDef[] = opTable(
  ...Object.values(ops),
  leakyReluOp,
  clipOp,
  castOp,
);
