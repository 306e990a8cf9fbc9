/**
 * From a graph to a session: the ONNX bytes, the weights where they lie, and what has to be
 * converted because the execution provider has no kernels for the type in the file.
 *
 * @module
 */

import type { Provider } from "../ffi/providers.ts";
import type { Runtime } from "../ffi/runtime.ts";
import type { Session } from "../ffi/session.ts";
import { Tensor } from "../ffi/tensor.ts";
import { type ExternalInitializer, toOnnx } from "../graph/onnx_write.ts";
import { leaves, reachable } from "../graph/reachable.ts";
import type { GraphModel } from "../models/graph_model.ts";
import { toFloat32 } from "../weights/read.ts";
import type { StoredDType } from "../weights/stored_tensor.ts";

/** How sessions are made. */
export interface SessionBuilderOptions {
  /** Execution providers in order of preference. */
  readonly providers: readonly Provider[];
  /** Threads within an operator. Default: ONNX Runtime's choice. */
  readonly threads?: number;
  /** Told, once each, what is not as it was asked for: a provider that another stands in for. */
  readonly onWarning?: (message: string) => void;
}

/**
 * Reorders convolution weights for vector units, in anonymous copies: a third less time for an
 * autoencoder, but the U-Net's weights would no longer be mapped.
 */
const REORDERS_WEIGHTS = "NchwcTransformer";

/** Networks up to so many bytes of weights are reordered. */
const REORDERED_BYTES = 512 << 20;

/**
 * Optimizers that read weights. Those supplied from memory reach the kernels only: an optimizer
 * would look for them in a file, and fail.
 */
const READS_WEIGHTS = [
  REORDERS_WEIGHTS,
  "ConstantFolding",
  "ConvAddFusion",
  "ConvMulFusion",
  "ConvBNFusion",
];

/** Session config entries that keep large weights mapped, without packed copies of matrices. */
function weightConfig(weightBytes: number, someSupplied: boolean): Record<string, string> {
  const disabled = someSupplied
    ? READS_WEIGHTS
    : weightBytes > REORDERED_BYTES
    ? [REORDERS_WEIGHTS]
    : [];
  return {
    "session.disable_prepacking": "1",
    ...(disabled.length > 0 && {
      "optimization.disable_specified_optimizers": disabled.join(";"),
    }),
  };
}

/** Bytes of a graph's weights as they are stored. */
function weightBytesOf({ outputs }: GraphModel): number {
  return leaves(reachable(Object.values(outputs))).reduce((sum, { node }) => {
    if (node.kind !== "initializer") return sum;
    return sum + ("file" in node.source ? node.source.byteLength : node.source.data.byteLength);
  }, 0);
}

/** How safetensors spells the element types that a file's weights may have. */
const STORED: Readonly<Record<string, StoredDType>> = {
  float64: "F64",
  float32: "F32",
  float16: "F16",
  bfloat16: "BF16",
};

/** Builds sessions; those of other picture sizes share the weights that had to be converted. */
export class SessionBuilder {
  readonly #converted = new Map<string, Promise<Tensor>>();
  readonly #warned = new Set<string>();

  constructor(readonly runtime: Runtime, readonly options: SessionBuilderOptions) {}

  /** Builds the session of `model`. Weights in F32 stay in their file, mapped by ONNX Runtime. */
  async build(model: GraphModel): Promise<Session> {
    const { bytes, initializers, externalRoot } = toOnnx(model);
    const supplied = new Map<string, Tensor>();
    // One at a time: what is read and not yet converted stays small.
    for (const weight of initializers) supplied.set(weight.name, await this.#supply(weight));
    const { providers, threads } = this.options;
    const session = await this.runtime.loadSession(bytes, {
      providers,
      initializers: supplied,
      config: {
        ...weightConfig(weightBytesOf(model), supplied.size > 0),
        ...(externalRoot !== undefined && {
          "session.model_external_initializers_file_folder_path": externalRoot,
        }),
      },
      ...(threads !== undefined && { intraOpThreads: threads }),
    });
    for (const { message } of session.skipped) this.#warn(message);
    return session;
  }

  #warn(message: string): void {
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    this.options.onWarning?.(message);
  }

  #supply({ name, type, source }: ExternalInitializer): Promise<Tensor> {
    const shape = type.shape as number[];
    if (!("file" in source)) {
      return Promise.resolve(
        Tensor.fromBytes(this.runtime, type.dtype as "float32", source.data, shape),
      );
    }
    // Views of one weight share its place in the file, not its shape.
    const key = `${source.file} ${source.offset} ${shape}`;
    let tensor = this.#converted.get(key);
    if (!tensor) {
      const dtype = STORED[source.storedAs ?? type.dtype]!;
      const stored = { name, dtype, shape, location: source };
      tensor = toFloat32(stored).then((data) => Tensor.from(this.runtime, "float32", data, shape));
      this.#converted.set(key, tensor);
    }
    return tensor;
  }
}
