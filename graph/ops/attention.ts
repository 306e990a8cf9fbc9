/** Multi-head attention: one contrib node of ONNX Runtime, or matrix products and a softmax. */
import type { DType } from "../dtype.ts";
import { grad, throughExpansion } from "../grad.ts";
import { jvp } from "../jvp.ts";
import { lower, lowering } from "../lowering.ts";
import { apply, type OpDef, opTable, sameDtype } from "../op.ts";
import { type Dim, fixed, ShapeError } from "../shape.ts";
import { after } from "../recompute.ts";
import { constant, type OpNode, type Value } from "../value.ts";
import { add, mul, where } from "./arithmetic.ts";
import { cast, identity } from "./elementwise.ts";
import { matMul } from "./linalg.ts";
import { expand, reshape, transpose, unsqueeze } from "./movement.ts";
import { triangleLower } from "./indexing.ts";
import { concat, split } from "./join.ts";
import { softmax } from "./reduce.ts";

/** Options of `multiHeadAttention`. */
export interface AttentionOptions {
  /** Number of heads that the last axis is cut into. */
  readonly heads: number;
  /** Broadcasts to [B, heads, S, L]. bool: true where a query may look; float: added to the scores. */
  readonly mask?: Value;
  /** Each query looks only at keys up to its own position. */
  readonly causal?: boolean;
  /** Factor of the scores; by default 1/sqrt(size of a head). */
  readonly scale?: number;
}

/** query, key, value, and contrib inputs in its order: bias, key padding mask, attention bias. */
type ContribInputs = readonly [Value, Value, Value, undefined, undefined, Value | undefined];

interface ContribAttributes {
  readonly num_heads: number;
  readonly scale: number;
  readonly unidirectional: number;
}

const multiHeadAttentionOp: OpDef<ContribInputs, ContribAttributes> = {
  type: "MultiHeadAttention",
  domain: "com.microsoft",
  attributes: { num_heads: "int", scale: "float", unidirectional: "int" },
  infer: ([q, k, v]) => [{
    dtype: sameDtype("MultiHeadAttention", [q, k, v]),
    shape: [...q.shape.slice(0, 2), v.shape[2] as Dim],
  }],
  expansion: (inputs, attributes) => [expansion(inputs, attributes)],
  vjp: (g, node) => isLarge(node) ? headByHead(g, node) : attentionGradient(g, node),
  jvp: (tangents, { inputs, attributes }) =>
    lowering("primitive", () => {
      const copies = inputs.map((value) => value && identity(value));
      const moving = copies.filter((copy, i) => copy && tangents[i]) as Value[];
      const [q, k, v, , , bias] = copies as unknown as ContribInputs;
      const mixed = expansion([q, k, v, undefined, undefined, bias], attributes);
      return jvp([mixed], moving, tangents.filter((tangent) => tangent !== undefined));
    }),
};

function expansion(
  [q, k, v, , , bias]: ContribInputs,
  { num_heads: heads, scale, unidirectional }: ContribAttributes,
): Value {
  return attentionPrimitive(q, k, v, bias, { heads, scale, causal: unidirectional === 1 });
}

const attentionGradient = throughExpansion(expansion);

/** Scores of one head from which its derivative takes several times 4 MB. */
const LARGE = 2 ** 20;

function isLarge({ inputs: [q, k, , , , bias], attributes }: AttentionNode): boolean {
  const scores = Number(q.shape[1]) * Number(k.shape[1]);
  return bias === undefined && attributes.num_heads > 1 && scores >= LARGE;
}

type AttentionNode = OpNode<ContribInputs, ContribAttributes>;

/** One head after the other, so that the scores of only one are in memory. */
function headByHead(g: Value, { inputs: [q, k, v], attributes }: AttentionNode): Value[] {
  const { num_heads: heads, scale, unidirectional } = attributes;
  const parts = [q, k, v, g].map((x) => split(x, heads, 2));
  const gradients: Value[][] = [];
  for (let head = 0; head < heads; head++) {
    // Waits for all of the head before; otherwise a runtime may begin with all scores.
    const last = gradients.at(-1) ?? [];
    const own = parts.map((part) => last.reduce(after, part[head] as Value));
    const [qh, kh, vh, gh] = own as [Value, Value, Value, Value];
    const options = { heads: 1, scale, causal: unidirectional === 1 };
    const mixed = lowering("primitive", () => attentionPrimitive(qh, kh, vh, undefined, options));
    gradients.push(grad([mixed], [qh, kh, vh], [gh]));
  }
  return [0, 1, 2].map((i) => concat(gradients.map((all) => all[i] as Value), 2));
}

/** softmax(scale q k^T + bias) v for each head. */
function attentionPrimitive(
  q: Value,
  k: Value,
  v: Value,
  bias: Value | undefined,
  { heads, scale, causal }: { heads: number; scale: number; causal: boolean },
): Value {
  const byHead = (x: Value, perm: number[]) => transpose(splitHeads(x, heads), perm);
  const queries = byHead(mul(q, scale), [0, 2, 1, 3]);
  let scores = matMul(queries, byHead(k, [0, 2, 3, 1]));
  if (bias) scores = add(scores, bias);
  if (causal) scores = add(scores, causalBias(scores));
  const mixed = matMul(softmax(scores, -1), byHead(v, [0, 2, 1, 3]));
  return reshape(transpose(mixed, [0, 2, 1, 3]), [...q.shape.slice(0, 2), v.shape[2] as Dim]);
}

/** [B, S, H D] to [B, S, H, D] */
function splitHeads(x: Value, heads: number): Value {
  const width = fixed("MultiHeadAttention", x.shape, 2);
  return reshape(x, [...x.shape.slice(0, 2), heads, width / heads]);
}

/** [S, L]: 0 up to the diagonal, hugely negative above it. */
function causalBias(scores: Value): Value {
  const ones = expand(constant(1), scores.shape.slice(-2));
  return where(
    cast(triangleLower(ones), "bool"),
    constant(0, [], scores.dtype),
    lowest(scores.dtype),
  );
}

/** The most negative finite number: with -Infinity a fully masked row would become NaN. */
function lowest(dtype: DType): number {
  return dtype === "float16" ? -65504 : -3.4028234663852886e38;
}

/** A mask of either kind as numbers to add, [B or 1, heads or 1, S, L]. */
function additiveMask(mask: Value, q: Value, k: Value): Value {
  const added = mask.dtype === "bool"
    ? where(mask, constant(0, [], q.dtype), lowest(q.dtype))
    : mask;
  const missing = 4 - added.shape.length;
  const full = missing > 0 ? unsqueeze(added, Array.from({ length: missing }, (_, i) => i)) : added;
  // The contrib node broadcasts the first two axes, not the last two.
  return expand(full, [1, 1, q.shape[1] as Dim, k.shape[1] as Dim]);
}

/**
 * Scaled dot-product attention (arXiv:1706.03762) in `heads` parts of the last axis: q [B, S, H D],
 * k [B, L, H D], v [B, L, H Dv] to [B, S, H Dv]. Throws ShapeError when they do not belong together.
 */
export function multiHeadAttention(q: Value, k: Value, v: Value, options: AttentionOptions): Value {
  const { heads, causal = false } = options;
  checkShapes(q, k, v, heads);
  const scale = options.scale ?? 1 / Math.sqrt(fixed("MultiHeadAttention", q.shape, 2) / heads);
  const bias = options.mask && additiveMask(options.mask, q, k);
  const primitive = () => attentionPrimitive(q, k, v, bias, { heads, scale, causal });
  const fused = () =>
    apply(multiHeadAttentionOp, [q, k, v, undefined, undefined, bias], {
      num_heads: heads,
      scale,
      unidirectional: Number(causal),
    });
  return lower({ fused, standard: primitive, primitive });
}

function checkShapes(q: Value, k: Value, v: Value, heads: number): void {
  const fits = [q, k, v].every((x) => x.shape.length === 3 && x.shape[0] === q.shape[0]) &&
    q.shape[2] === k.shape[2] && k.shape[1] === v.shape[1] &&
    [q, v].every((x) => typeof x.shape[2] !== "number" || x.shape[2] % heads === 0);
  if (fits) return;
  throw new ShapeError(
    "MultiHeadAttention",
    [q.shape, k.shape, v.shape],
    `expected [B, S, ${heads} D], [B, L, ${heads} D], [B, L, ${heads} Dv].`,
  );
}

/** Every operation here, for tables of tests. */
export const attentionOps: readonly OpDef[] = opTable(multiHeadAttentionOp);
