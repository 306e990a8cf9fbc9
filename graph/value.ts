/**
 * Graphs as values. A `Value` is a tensor that a graph will compute; it knows its type and the node
 * that makes it. A graph is whatever its outputs reach, so there is no builder and no dead code.
 */
import {
  byteSize,
  type DType,
  dtypeOfArray,
  encodeElements,
  type FileDType,
  type NumericArray,
} from "./dtype.ts";
import type { Attributes, OpDef } from "./op.ts";
import { currentScope } from "./scope.ts";
import { type Dim, elementCount, formatShape, type Shape } from "./shape.ts";

/** Element type and sizes of a tensor. */
export interface TensorType {
  /** Element type. */
  readonly dtype: DType;
  /** Sizes, outermost first. */
  readonly shape: Shape;
}

/** Where a weight's bytes are. */
export type InitializerSource =
  | {
    /** Little-endian bytes of the declared type, kept in the model file. */
    readonly data: Uint8Array;
  }
  | {
    /** Absolute path with symlinks resolved; the bytes stay there and are memory-mapped. */
    readonly file: string;
    /** Bytes before the tensor. */
    readonly offset: number;
    /** Bytes of the tensor as stored. */
    readonly byteLength: number;
    /** The file's element type where it differs from the declared one. */
    readonly storedAs?: FileDType;
    /** What the file's values are multiplied by when they are converted. */
    readonly scale?: number;
  };

/** A graph input, fed at every run. */
export interface InputNode {
  /** Tells nodes apart. */
  readonly kind: "input";
  /** Its name in the model. */
  readonly name: string;
}

/** A small tensor written into the graph. */
export interface ConstantNode {
  /** Tells nodes apart. */
  readonly kind: "constant";
  /** Little-endian elements. */
  readonly data: Uint8Array;
}

/** A named weight. */
export interface InitializerNode {
  /** Tells nodes apart. */
  readonly kind: "initializer";
  /** Its name in the checkpoint. */
  readonly name: string;
  /** Where its bytes are. */
  readonly source: InitializerSource;
}

/** Values given to an operation; undefined where an optional input is absent. */
export type Inputs = readonly (Value | undefined)[];

/** An operation applied to values. */
export interface OpNode<I extends Inputs = Inputs, A extends object = Attributes> {
  /** Tells nodes apart. */
  readonly kind: "op";
  /** Which operation. */
  readonly op: OpDef<I, A>;
  /** What it is applied to. */
  readonly inputs: I;
  /** Its options. */
  readonly attributes: A;
  /** What it makes. */
  readonly outputs: readonly Value[];
  /** The `scope` path at the time it was made. */
  readonly scope: string;
  /** Counts up, so that sorting by it is a topological order: inputs are made before their users. */
  readonly serial: number;
}

/** What makes a value. */
export type Node = InputNode | ConstantNode | InitializerNode | OpNode;

/** A tensor that a graph computes, holds or is given. */
export class Value {
  /** A name for people and for ONNX, made unique when written; nodes name their values otherwise. */
  name?: string;

  /** `index` is the place among the node's outputs. Use `input`, `constant`, `initializer`, or an op. */
  constructor(readonly type: TensorType, readonly node: Node, readonly index = 0) {}

  /** Sizes, outermost first. */
  get shape(): Shape {
    return this.type.shape;
  }

  /** Element type. */
  get dtype(): DType {
    return this.type.dtype;
  }
}

/** A graph input. */
export function input(name: string, dtype: DType, shape: readonly Dim[]): Value {
  return new Value({ dtype, shape }, { kind: "input", name });
}

/**
 * A tensor written into the graph: one number, or a typed array with its shape (default: its
 * length). `dtype` converts; by default a number is float32, a bigint int64, an array what it is.
 * Throws RangeError when the shape does not hold the elements.
 */
export function constant(
  data: NumericArray | number | bigint,
  shape?: readonly number[],
  dtype?: DType,
): Value {
  const array = typeof data === "number"
    ? new Float64Array([data])
    : typeof data === "bigint"
    ? new BigInt64Array([data])
    : data;
  const type = {
    dtype: dtype ?? (typeof data === "number" ? "float32" : dtypeOfArray(array)),
    shape: shape ?? (array === data ? [array.length] : []),
  };
  if (elementCount(type.shape) !== array.length) {
    throw new RangeError(
      `Cannot make a constant of shape ${formatShape(type.shape)}: ` +
        `got ${array.length} elements, expected ${elementCount(type.shape)}.`,
    );
  }
  return new Value(type, { kind: "constant", data: encodeElements(array, type.dtype) });
}

/** int64 numbers, a vector unless `shape` says otherwise: how ONNX takes shapes, axes and indices. */
export function int64s(numbers: readonly number[], shape = [numbers.length]): Value {
  return constant(BigInt64Array.from(numbers, BigInt), shape);
}

/** Bytes of a weight as it is stored. */
export function storedBytes(source: InitializerSource): number {
  return "data" in source ? source.data.byteLength : source.byteLength;
}

/**
 * A weight of the model, named as in its checkpoint. Throws RangeError when the bytes given do not
 * fit the shape: that means another configuration than the file's.
 */
export function initializer(
  name: string,
  dtype: DType,
  shape: readonly number[],
  source: InitializerSource,
): Value {
  const stored = "file" in source ? source.storedAs ?? dtype : dtype;
  const expected = Number(elementCount(shape)) * byteSize(stored);
  const got = storedBytes(source);
  if (got !== expected) {
    throw new RangeError(
      `Cannot use ${name} as ${stored} ${formatShape(shape)}: got ${got} bytes, ` +
        `expected ${expected}. Check that the config belongs to these weights.`,
    );
  }
  return new Value({ dtype, shape }, { kind: "initializer", name, source });
}

let serials = 0;

/** Makes the node of an applied operation; `applyAll` in op.ts is the way to call it. */
export function opNode<I extends Inputs, A extends object>(
  op: OpDef<I, A>,
  inputs: I,
  attributes: A,
  types: readonly TensorType[],
): OpNode<I, A> {
  const outputs: Value[] = [];
  const node: OpNode<I, A> = {
    kind: "op",
    op,
    inputs,
    attributes,
    outputs,
    scope: currentScope(),
    serial: serials++,
  };
  types.forEach((type, index) => outputs.push(new Value(type, node as unknown as OpNode, index)));
  return node;
}
