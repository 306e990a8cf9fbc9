/**
 * A weight in another shape, or its first rows, is the same bytes. Written as nodes, ONNX Runtime would fold
 * it into a copy in memory; and it would read the file to do so, although the weight may be supplied
 * from memory instead.
 */
import type { Cut } from "./ops/join.ts";
import type { DType } from "./dtype.ts";
import { cast } from "./ops/elementwise.ts";
import { initializer, type InitializerSource, storedBytes, type Value } from "./value.ts";

/** A weight, or part of one: the name of the whole, and the part's bytes. */
export interface Weight {
  /** Name in the checkpoint. */
  readonly name: string;
  /** Where the bytes are. */
  readonly source: InitializerSource;
}

const SHAPING: ReadonlySet<string> = new Set(["Reshape", "Unsqueeze", "Squeeze"]);

/** The weight whose bytes a value is; undefined for any other value. */
export function weightBehind(value: Value): Weight | undefined {
  const { node } = value;
  if (node.kind === "initializer") return node;
  const from = node.kind === "op" ? node.inputs[0] : undefined;
  if (node.kind !== "op" || !from) return undefined;
  // A shape that is computed is there to make the weight wait.
  if (SHAPING.has(node.op.type)) {
    return node.inputs[1]?.node.kind === "op" ? undefined : weightBehind(from);
  }
  return node.op.type === "Slice"
    ? rowsOf(from, node.attributes.cuts as readonly Cut[])
    : undefined;
}

/** What becomes of a weight that waits for its turn, before it meets anything else: see `castAfter`. */
const PREPARING: ReadonlySet<string> = new Set(["Cast", "Transpose", "Slice"]);

/** Whether a value is a weight that waits for its turn, converted or reordered. */
export function isLateWeight({ node }: Value): boolean {
  const from = node.kind === "op" ? node.inputs[0] : undefined;
  if (node.kind !== "op" || !from) return false;
  if (PREPARING.has(node.op.type)) return isLateWeight(from);
  const isTied = SHAPING.has(node.op.type) && node.inputs[1]?.node.kind === "op";
  return isTied && weightBehind(from) !== undefined;
}

/** Rows that lie one after the other; undefined for any other cut. */
function rowsOf(from: Value, cuts: readonly Cut[]): Weight | undefined {
  const [cut, another] = cuts;
  if (!cut || another || cut.axis !== 0 || cut.step !== 1) return undefined;
  const weight = weightBehind(from);
  if (!weight) return undefined;
  const { name, source } = weight;
  const row = storedBytes(source) / (from.shape[0] as number);
  const start = cut.start * row, byteLength = cut.count * row;
  return {
    name,
    source: "data" in source
      ? { data: source.data.subarray(start, start + byteLength) }
      : { ...source, offset: source.offset + start, byteLength },
  };
}

/**
 * A weight in another type. One whose file has that type, or has to be converted anyway, comes straight
 * from the file.
 */
export function weightAs(value: Value, dtype: DType): Value {
  const { node, shape } = value;
  if (value.dtype === dtype) return value;
  const isConverted = node.kind === "initializer" && "file" in node.source &&
    node.source.storedAs !== undefined;
  if (!isConverted) return cast(value, dtype);
  const { storedAs, ...place } = node.source as Extract<InitializerSource, { file: string }>;
  const source = storedAs === dtype && place.scale === undefined ? place : { ...place, storedAs };
  return initializer(
    `${node.name}:${dtype}`,
    dtype,
    shape as number[],
    source as InitializerSource,
  );
}
