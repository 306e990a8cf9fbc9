/**
 * Weights that a session is given in memory, since its file has them in a type that kernels lack.
 *
 * @module
 */

import type { Runtime } from "../ffi/runtime.ts";
import { Tensor } from "../ffi/tensor.ts";
import type { ExternalInitializer } from "../graph/onnx_write.ts";
import { toFloat16, toFloat32 } from "../weights/read.ts";
import type { StoredDType } from "../weights/stored_tensor.ts";

/** How safetensors spells the element types that a file's weights may have. */
const STORED: Readonly<Record<string, StoredDType>> = {
  float64: "F64",
  float32: "F32",
  float16: "F16",
  bfloat16: "BF16",
  float8e4m3fn: "F8_E4M3",
  float8e5m2: "F8_E5M2",
};

/** Converts weights, each once for all sessions of a builder. */
export class SuppliedWeights {
  readonly #converted = new Map<string, Promise<Tensor>>();

  constructor(readonly runtime: Runtime) {}

  /** The tensor of a weight, in the type that the graph has it in. */
  of({ name, type, source }: ExternalInitializer): Promise<Tensor> {
    const { runtime } = this, shape = type.shape as number[];
    if (!("file" in source)) {
      return Promise.resolve(
        Tensor.fromBytes(runtime, type.dtype as "float32", source.data, shape),
      );
    }
    // Views of one weight share its place in the file, not its shape.
    const key = `${source.file} ${source.offset} ${shape} ${type.dtype}`;
    let tensor = this.#converted.get(key);
    if (!tensor) {
      const dtype = STORED[source.storedAs ?? type.dtype]!, { scale } = source;
      const stored = {
        name,
        dtype,
        shape,
        location: source,
        ...(scale !== undefined && { scale }),
      };
      tensor = type.dtype === "float16"
        ? toFloat16(stored).then((data) => Tensor.from(runtime, "float16", data, shape))
        : toFloat32(stored).then((data) => Tensor.from(runtime, "float32", data, shape));
      this.#converted.set(key, tensor);
    }
    return tensor;
  }
}
