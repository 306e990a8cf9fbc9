/** A file's weights as initializers of a graph: element types, and where the bytes are. */
import type { DType, FileDType } from "../graph/dtype.ts";
import type { InitializerSource } from "../graph/value.ts";
import { narrower, widener } from "../weights/convert.ts";
import { scaled } from "../weights/read.ts";
import type { StoredDType, StoredTensor } from "../weights/stored_tensor.ts";

/** Element types of a file that a floating-point weight may have, as graph/ names them. */
export const FLOATING: Partial<Record<StoredDType, FileDType>> = {
  F64: "float64",
  F32: "float32",
  F16: "float16",
  BF16: "bfloat16",
  F8_E4M3: "float8e4m3fn",
  F8_E5M2: "float8e5m2",
};

/** Types of half precision in a file, as a graph has them. */
export const HALVES: Partial<Record<StoredDType, DType>> = { F16: "float16", BF16: "bfloat16" };

/** Where the bytes are; those in memory are converted at once, a file's when it is loaded. */
export function initializerSource(
  tensor: StoredTensor,
  dtype: "float32" | "float16",
): InitializerSource {
  const { location, scale } = tensor;
  const storedAs = FLOATING[tensor.dtype]!;
  if ("file" in location) {
    if (storedAs === dtype) return location;
    return { ...location, storedAs, ...(scale !== undefined && { scale }) };
  }
  if (storedAs === dtype) return location;
  const { data } = location;
  // Views of wider elements need alignment, which a range of a larger array may lack.
  const bytes = new Uint8Array(data);
  const count = tensor.shape.reduce((a, b) => a * b, 1);
  const out = dtype === "float32" ? new Float32Array(count) : new Float16Array(count);
  if (out instanceof Float32Array) widener(tensor.dtype)(bytes, out);
  else narrower(tensor.dtype)(bytes, out);
  return { data: new Uint8Array(scaled(out, tensor).buffer) };
}
