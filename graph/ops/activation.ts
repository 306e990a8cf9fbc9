/** Activations that ONNX Runtime can run as one node. */
import { throughExpansion } from "../grad.ts";
import { lower } from "../lowering.ts";
import { apply, type OpDef, opTable } from "../op.ts";
import type { Value } from "../value.ts";
import { add, mul, sub } from "./arithmetic.ts";
import { erf, sigmoid, tanh } from "./elementwise.ts";

const quickGeluOp: OpDef<readonly [Value], { alpha: number }> = {
  type: "QuickGelu",
  domain: "com.microsoft",
  attributes: { alpha: "float" },
  infer: ([x]) => [x],
  expansion: ([x], { alpha }) => [sigmoidGate(x, alpha)],
  // y = x s, s = sigmoid(alpha x): y' = s + alpha y (1 - s)
  vjp: (g, { inputs: [x], attributes: { alpha }, outputs: [y] }) => {
    const s = sigmoid(scaled(x, alpha)), gate = y as Value;
    return [mul(g, add(s, scaled(sub(gate, mul(gate, s)), alpha)))];
  },
};

function scaled(x: Value, factor: number): Value {
  return factor === 1 ? x : mul(x, factor);
}

/** `x * sigmoid(alpha * x)` */
function sigmoidGate(x: Value, alpha: number): Value {
  return mul(x, sigmoid(scaled(x, alpha)));
}

function gated(x: Value, alpha: number): Value {
  const primitive = () => sigmoidGate(x, alpha);
  return lower({
    fused: () => apply(quickGeluOp, [x], { alpha }),
    standard: primitive,
    primitive,
  });
}

/** `x * sigmoid(x)`, also called swish. */
export function silu(x: Value): Value {
  return gated(x, 1);
}

/** `x * sigmoid(1.702 x)`: the approximation of GELU in CLIP ViT-L ("quick_gelu"). */
export function quickGelu(x: Value): Value {
  return gated(x, 1.702);
}

const geluOp: OpDef<readonly [Value], { approximate: "none" | "tanh" }> = {
  type: "Gelu",
  attributes: { approximate: "string" },
  infer: ([x]) => [x],
  vjp: throughExpansion(([x], { approximate }) => geluPrimitive(x, approximate)),
};

function geluPrimitive(x: Value, approximate: "none" | "tanh"): Value {
  const inner = approximate === "none"
    ? erf(mul(x, Math.SQRT1_2))
    // sqrt(2/pi) (x + 0.044715 x^3)
    : tanh(mul(mul(x, add(mul(mul(x, x), 0.044715), 1)), Math.sqrt(2 / Math.PI)));
  return mul(mul(x, 0.5), add(inner, 1));
}

/** `x * P(N(0,1) <= x)` (arXiv:1606.08415), exact by erf or approximated by tanh. */
export function gelu(x: Value, { approximate = "none" as "none" | "tanh" } = {}): Value {
  const node = () => apply(geluOp, [x], { approximate });
  return lower({ fused: node, standard: node, primitive: () => geluPrimitive(x, approximate) });
}

/** Every operation here, for tables of tests. */
export const activationOps: readonly OpDef[] = opTable(quickGeluOp, geluOp);
