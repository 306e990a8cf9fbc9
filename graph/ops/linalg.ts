/** Matrix products. */
import { lower } from "../lowering.ts";
import { apply, type OpDef, opTable, sameDtype } from "../op.ts";
import { broadcastShapes, type Dim, ShapeError } from "../shape.ts";
import type { TensorType, Value } from "../value.ts";
import { add, mul } from "./arithmetic.ts";
import { reshape, transpose } from "./movement.ts";

type Pair = readonly [Value, Value];

/** [..., M, K] and [..., K, N], each perhaps stored transposed, to [..., M, N]. */
function productType(op: string, a: TensorType, b: TensorType, transA = 0, transB = 0): TensorType {
  const shapes = [a.shape, b.shape];
  if (a.shape.length < 2 || b.shape.length < 2) {
    throw new ShapeError(op, shapes, "expected two axes at least. Add one with unsqueeze().");
  }
  const [m, k] = matrix(a, transA), [k2, n] = matrix(b, transB);
  if (k !== k2) {
    throw new ShapeError(op, shapes, `got inner sizes ${k} and ${k2}, expected equal ones.`);
  }
  const batch = broadcastShapes(op, a.shape.slice(0, -2), b.shape.slice(0, -2));
  return { dtype: sameDtype(op, [a, b]), shape: [...batch, m, n] };
}

function matrix({ shape }: TensorType, transposed: number): [Dim, Dim] {
  const [rows, columns] = shape.slice(-2) as [Dim, Dim];
  return transposed ? [columns, rows] : [rows, columns];
}

const matMulOp: OpDef<Pair, object> = {
  type: "MatMul",
  infer: ([a, b]) => [productType("MatMul", a, b)],
  vjp: (g, { inputs: [a, b] }) => {
    const [rows, sums] = asMatrices(a, b, g);
    return [matMul(g, swap(b)), matMul(swap(rows), sums)];
  },
};

/**
 * The rows that met the matrix `b` and their cotangents, all in one matrix each where `b` has no
 * more axes: the product with them then sums over all at once, instead of making a matrix for each
 * and adding those up.
 */
function asMatrices(a: Value, b: Value, g: Value): [Value, Value] {
  if (b.shape.length > 2 || a.shape.length === 2) return [a, g];
  return [reshape(a, [-1, a.shape.at(-1)!]), reshape(g, [-1, g.shape.at(-1)!])];
}

/** Swaps the last two axes. */
function swap(x: Value): Value {
  const perm = x.shape.map((_, i) => i);
  const [rows, columns] = perm.splice(-2) as [number, number];
  return transpose(x, [...perm, columns, rows]);
}

/** `a @ b` over the last two axes; the leading ones broadcast. */
export function matMul(a: Value, b: Value): Value {
  return apply(matMulOp, [a, b], {});
}

/** Options of a 2-D product: `alpha * a' @ b' + beta * c`, transposed where asked. */
export interface GemmOptions {
  /** Transposes `a`. */
  readonly transA?: boolean;
  /** Transposes `b`. */
  readonly transB?: boolean;
  /** Factor of the product; default 1. */
  readonly alpha?: number;
  /** Factor of `c`; default 1. */
  readonly beta?: number;
}

interface GemmAttributes {
  readonly alpha: number;
  readonly beta: number;
  readonly transA: number;
  readonly transB: number;
}

const gemmOp: OpDef<readonly [Value, Value, Value | undefined], GemmAttributes> = {
  type: "Gemm",
  attributes: { alpha: "float", beta: "float", transA: "int", transB: "int" },
  infer: ([a, b, c], { transA, transB }) => {
    const type = productType("Gemm", a, b, transA, transB);
    const shapes = [a.shape, b.shape, ...(c ? [c.shape] : [])];
    if (type.shape.length !== 2) throw new ShapeError("Gemm", shapes, "expected matrices.");
    if (c) {
      sameDtype("Gemm", [a, c]);
      const sum = broadcastShapes("Gemm", type.shape, c.shape);
      if (sum.length !== 2 || sum.some((dim, i) => dim !== type.shape[i])) {
        throw new ShapeError("Gemm", shapes, `the last must broadcast to [${type.shape}].`);
      }
    }
    return [type];
  },
  vjp: (g, { inputs: [a, b, c], attributes: { alpha, beta, transA, transB } }) => {
    const A = transA ? swap(a) : a, B = transB ? swap(b) : b;
    const dA = scale(matMul(g, swap(B)), alpha), dB = scale(matMul(swap(A), g), alpha);
    return [transA ? swap(dA) : dA, transB ? swap(dB) : dB, c ? scale(g, beta) : null];
  },
};

function scale(x: Value, factor: number): Value {
  return factor === 1 ? x : mul(x, factor);
}

/** `alpha * a @ b + beta * c` of matrices, `a` and `b` transposed where asked. */
export function gemm(a: Value, b: Value, c?: Value, options: GemmOptions = {}): Value {
  const { transA = false, transB = false, alpha = 1, beta = 1 } = options;
  return apply(gemmOp, [a, b, c], {
    alpha,
    beta,
    transA: Number(transA),
    transB: Number(transB),
  });
}

interface FusedAttributes {
  readonly alpha: number;
  readonly transA: number;
  readonly transB: number;
}

const fusedMatMulOp: OpDef<Pair, FusedAttributes> = {
  type: "FusedMatMul",
  domain: "com.microsoft",
  attributes: { alpha: "float", transA: "int", transB: "int" },
  infer: ([a, b], { transA, transB }) => [productType("FusedMatMul", a, b, transA, transB)],
  expansion: ([a, b], { alpha, transA, transB }) => {
    if (!transA && b.shape.length === 2) return [viaRows(a, b, { transB: transB === 1, alpha })];
    return [scale(matMul(transA ? swap(a) : a, transB ? swap(b) : b), alpha)];
  },
  vjp: (g, { inputs: [a, b], attributes: { alpha, transA, transB } }) => {
    const A = transA ? swap(a) : a, B = transB ? swap(b) : b;
    const dA = scale(matMul(g, swap(B)), alpha);
    const [rows, sums] = asMatrices(A, b, g);
    const dB = transB ? matMul(swap(sums), rows) : matMul(swap(rows), sums);
    return [transA ? swap(dA) : dA, scale(dB, alpha)];
  },
};

/** `alpha * a @ b` with transposes, as ONNX Runtime's contrib operator FusedMatMul. */
export function fusedMatMul(a: Value, b: Value, options: Omit<GemmOptions, "beta"> = {}): Value {
  const { transA = false, transB = false, alpha = 1 } = options;
  return apply(fusedMatMulOp, [a, b], { alpha, transA: Number(transA), transB: Number(transB) });
}

/** The product of `x` [..., K] and a matrix, which Gemm reads as it lies, over all rows at once. */
function viaRows(x: Value, matrix: Value, options: GemmOptions, bias?: Value): Value {
  if (x.shape.length === 2) return gemm(x, matrix, bias, options);
  const rows = reshape(x, [-1, x.shape.at(-1) as Dim]), product = gemm(rows, matrix, bias, options);
  return reshape(product, [...x.shape.slice(0, -1), product.shape[1] as Dim]);
}

/**
 * `x @ weight^T + bias`: x [..., in], weight [out, in] as checkpoints store it, bias [out]. The weight
 * is read as it lies in the file; transposing it beforehand would cost a copy of it in memory.
 */
export function linear(x: Value, weight: Value, bias?: Value): Value {
  if (weight.shape.length !== 2 || x.shape.at(-1) !== weight.shape[1]) {
    throw new ShapeError("linear", [x.shape, weight.shape], "expected [..., in] and [out, in].");
  }
  const viaGemm = () => viaRows(x, weight, { transB: true }, bias);
  const viaFusedMatMul = () => {
    if (x.shape.length === 2) return gemm(x, weight, bias, { transB: true });
    const product = fusedMatMul(x, weight, { transB: true });
    return bias ? add(product, bias) : product;
  };
  return lower({ fused: viaFusedMatMul, standard: viaGemm, primitive: viaGemm });
}

/** Every operation here, for tables of tests. */
export const linalgOps: readonly OpDef[] = opTable(matMulOp, gemmOp, fusedMatMulOp);
