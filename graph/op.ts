/** What an operation is: its ONNX name, the type of its results, and its derivative. */
import { type DType, isFloating } from "./dtype.ts";
import { type Inputs, type OpNode, opNode, type TensorType, type Value } from "./value.ts";

/** Plain options of an operation, by name. */
export type Attributes = Readonly<Record<string, unknown>>;

/** How ONNX stores an attribute. */
export type AttributeKind = "int" | "float" | "string" | "ints" | "floats";

/** The types of the inputs, undefined where an optional one is absent. */
export type TypesOf<I extends Inputs> = {
  readonly [K in keyof I]: I[K] extends Value ? TensorType : TensorType | undefined;
};

/** A cotangent for each input, or null where none flows. */
export type Cotangents = readonly (Value | null | undefined)[];

/** The type of a derivative rule; written as a method so that rules of all ops fit one table. */
export interface Vjp<I extends Inputs, A extends object> {
  /**
   * From the cotangent of the first output (`all`: of every output) to one for each input. It may have
   * the broadcast shape: the reverse pass sums it back to the input's.
   */
  rule(g: Value, node: OpNode<I, A>, all: readonly Value[]): Cotangents;
}

/** The type of forward rules. */
export interface Jvp<I extends Inputs, A extends object> {
  /** From the tangents of the inputs, undefined where one stands still, to those of the outputs. */
  rule(tangents: Tangents<I>, node: OpNode<I, A>): readonly (Value | undefined)[];
}

/** A tangent for each input that moves. */
export type Tangents<I extends Inputs> = { readonly [K in keyof I]: Value | undefined };

/**
 * An operation. `I` are its inputs, `A` its options: those listed in `attributes` are written as ONNX
 * attributes, the others only inform `infer` and `vjp` (ONNX takes them as inputs, or not at all).
 */
export interface OpDef<I extends Inputs = Inputs, A extends object = Attributes> {
  /** ONNX op_type. */
  readonly type: string;
  /** ONNX domain; absent for the standard. */
  readonly domain?: "com.microsoft";
  /** ONNX attributes among the options. */
  readonly attributes?: { readonly [K in keyof A]?: AttributeKind };
  /** Result types; throws ShapeError or TypeError for inputs that it cannot take. */
  infer(inputs: TypesOf<I>, attributes: A): readonly TensorType[];
  /**
   * Which of the outputs that ONNX declares the results are, where it has optional ones between them.
   * Absent: the first ones.
   */
  places?(attributes: A): readonly number[];
  /** The same results by operations of the standard; contrib operators have one. */
  expansion?(inputs: I, attributes: A): readonly Value[];
  /**
   * The derivative (vector-Jacobian product). `"zero"`: piecewise constant, nothing flows;
   * `"none"`: there is a derivative but no rule, asking for it is an error.
   */
  readonly vjp: Vjp<I, A>["rule"] | "none" | "zero";
  /**
   * The derivative forward (Jacobian-vector product). Absent: what `vjp` says of it; an operation has
   * its own where that is shorter, or where there is no other.
   */
  readonly jvp?: Jvp<I, A>["rule"];
}

/** Applies an operation and returns all its results. */
export function applyAll<I extends Inputs, A extends object>(
  op: OpDef<I, A>,
  inputs: I,
  attributes: A,
): readonly Value[] {
  const types = inputs.map((value) => value?.type) as unknown as TypesOf<I>;
  return opNode(op, inputs, attributes, op.infer(types, attributes)).outputs;
}

/** Applies an operation with one result. */
export function apply<I extends Inputs, A extends object>(
  op: OpDef<I, A>,
  inputs: I,
  attributes: A,
): Value {
  return applyAll(op, inputs, attributes)[0] as Value;
}

/** The common dtype; throws TypeError naming `op` when inputs differ. */
export function sameDtype(op: string, types: readonly (TensorType | undefined)[]): DType {
  const dtypes = [...new Set(types.flatMap((type) => type ? [type.dtype] : []))];
  if (dtypes.length === 1) return dtypes[0] as DType;
  throw new TypeError(
    `Cannot apply ${op}: element types differ; got ${dtypes.join(" and ")}. Convert with cast().`,
  );
}

/** Families of element types. */
export type Kind = "float" | "bool" | "any";

/** Throws TypeError, naming `op`, for an element type that is not of the kind. */
export function expectKind(op: string, dtype: DType, kind: Kind): void {
  const fits = kind === "any" || (kind === "bool" ? dtype === "bool" : isFloating(dtype));
  if (fits) return;
  throw new TypeError(`Cannot apply ${op}: got ${dtype}, expected ${kind}. Convert with cast().`);
}

/** Operations of different kinds as one list. */
export function opTable(...ops: readonly { readonly type: string }[]): readonly OpDef[] {
  return ops as readonly OpDef[];
}
