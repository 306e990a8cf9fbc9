/** Shapes with symbolic dimensions: broadcasting, sizes, and the error they end in. */

/** A dimension: a number, or the name of one known only when the graph runs ("batch"). */
export type Dim = number | string;

/** The sizes of a tensor, outermost first; `[]` is a scalar. */
export type Shape = readonly Dim[];

/** An operation was given shapes that it cannot take. */
export class ShapeError extends Error {
  /** The class name. */
  override readonly name = "ShapeError";
  /** `op`: the operation; `shapes`: what it was given; `why`: what is wrong and what to do. */
  constructor(readonly op: string, readonly shapes: readonly Shape[], why: string) {
    super(`Cannot apply ${op} to ${shapes.map(formatShape).join(" and ")}: ${why}`);
  }
}

/** `[2, "batch", 4]` as text. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/** True when two shapes are known to be equal: the same numbers and the same symbols. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}

/** The shape of an elementwise result by ONNX (numpy) broadcasting; throws ShapeError naming `op`. */
export function broadcastShapes(op: string, ...shapes: Shape[]): Dim[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, i) =>
    shapes
      .map((shape) => shape[i - rank + shape.length] ?? 1)
      .reduce((a, b) => broadcastDim(op, shapes, a, b)));
}

function broadcastDim(op: string, shapes: readonly Shape[], a: Dim, b: Dim): Dim {
  if (a === b || b === 1) return a;
  if (a === 1) return b;
  // A symbol against a number above one can only be one or that number.
  if (typeof a === "string" && typeof b === "number") return b;
  if (typeof a === "number" && typeof b === "string") return a;
  throw new ShapeError(
    op,
    shapes,
    `${a} and ${b} do not broadcast. Make them equal, or one of them 1.`,
  );
}

/** A non-negative axis; throws ShapeError when it is outside `-rank .. rank-1`. */
export function axisOf(op: string, shape: Shape, axis: number): number {
  const positive = axis < 0 ? axis + shape.length : axis;
  if (Number.isInteger(positive) && positive >= 0 && positive < shape.length) return positive;
  throw new ShapeError(
    op,
    [shape],
    `there is no axis ${axis}; give ${-shape.length}..${shape.length - 1}.`,
  );
}

/** The dimension as a number; throws ShapeError when it is symbolic. */
export function fixed(op: string, shape: Shape, axis: number): number {
  const dim = shape[axis];
  if (typeof dim === "number") return dim;
  throw new ShapeError(
    op,
    [shape],
    `axis ${axis} must be a number when the graph is built; got ${dim}.`,
  );
}

/** The shape if all of it is numbers; throws ShapeError otherwise. */
export function fixedShape(op: string, shape: Shape): number[] {
  return shape.map((_, i) => fixed(op, shape, i));
}

/** A product of dimensions: a number times symbols. */
interface Size {
  readonly factor: number;
  readonly symbols: readonly string[];
}

/** The number of elements; `"4096*batch"` names a size that is partly symbolic. */
export function elementCount(shape: Shape): Dim {
  return sizeToDim(sizeOf(shape));
}

/** `whole / part` as one dimension, symbols cancelled; undefined when it does not come out even. */
export function divideSizes(whole: Shape, part: Shape): Dim | undefined {
  const numerator = sizeOf(whole), denominator = sizeOf(part);
  const symbols = [...numerator.symbols];
  for (const symbol of denominator.symbols) {
    const at = symbols.indexOf(symbol);
    if (at < 0) return undefined;
    symbols.splice(at, 1);
  }
  const factor = numerator.factor / denominator.factor;
  return Number.isInteger(factor) ? sizeToDim({ factor, symbols }) : undefined;
}

/** The sum of dimensions: a number, or a symbol such as "(a+2)". */
export function addDims(dims: readonly Dim[]): Dim {
  const symbols = dims.filter((dim) => typeof dim === "string");
  const number = dims.reduce<number>((sum, dim) => typeof dim === "number" ? sum + dim : sum, 0);
  if (symbols.length === 0) return number;
  if (symbols.length === 1 && number === 0) return symbols[0] as string;
  return `(${[...symbols, ...(number ? [number] : [])].join("+")})`;
}

function sizeOf(shape: Shape): Size {
  let factor = 1;
  const symbols: string[] = [];
  for (const dim of shape) {
    for (const part of String(dim).split("*")) {
      if (/^\d+$/.test(part)) factor *= Number(part);
      else symbols.push(part);
    }
  }
  return { factor, symbols: symbols.sort() };
}

function sizeToDim({ factor, symbols }: Size): Dim {
  if (symbols.length === 0) return factor;
  return [...(factor === 1 ? [] : [factor]), ...symbols].join("*");
}
