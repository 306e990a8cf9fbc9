/**
 * Networks that are ONNX files already, as optimum and diffusers write them: their names and types
 * translated to this program's.
 *
 * @module
 */

import type { RunOptions, Session } from "../ffi/session.ts";
import { Tensor } from "../ffi/tensor.ts";
import type { TensorInfo } from "../ffi/tensor_info.ts";
import { ModelFormatError } from "../weights/model_format_error.ts";
import type { NetworkSession } from "./network_session.ts";
import type { SessionBuilder } from "./session_builder.ts";

/** The names that files have for an input or output, the usual one first. */
export type Spellings = Readonly<Record<string, readonly string[]>>;

/** A network's names: ours, and those that files have for them. */
export interface OnnxNames {
  readonly inputs: Spellings;
  readonly outputs: Spellings;
  /** Outputs that a file may lack. */
  readonly optional?: readonly string[];
}

/** The U-Net. The last names are those of `exportOnnx`. */
export const UNET_NAMES: OnnxNames = {
  inputs: Object.fromEntries(
    ["sample", "timestep", "encoder_hidden_states", "text_embeds", "time_ids", "timestep_cond"]
      .map((name) => [name, [name]]),
  ),
  outputs: { noise_prediction: ["out_sample", "noise_prediction", "sample"] },
};

/**
 * A text encoder. `layer` is the state that is looked at, counted as optimum numbers states; without
 * it, the last one after the final norm.
 */
export const textNames = (layer?: number): OnnxNames => ({
  inputs: { input_ids: ["input_ids"] },
  outputs: {
    hidden_states: layer === undefined
      ? ["last_hidden_state", "hidden_states"]
      : [`hidden_states.${layer}`, "hidden_states"],
    pooled: ["text_embeds", "pooled"],
  },
  optional: ["pooled"],
});

/** The decoder. `latent_sample` is not scaled, `latents` is. */
export const DECODER_NAMES: OnnxNames = {
  inputs: { latents: ["latent_sample", "latents"] },
  outputs: { image: ["sample", "image"] },
};

/** The encoder. `latent_parameters` are mean and logarithm of the variance, `latent_sample` a draw. */
export const ENCODER_NAMES: OnnxNames = {
  inputs: { image: ["sample", "image"] },
  outputs: {
    moments: ["latent_parameters"],
    mean: ["latent_sample", "mean"],
    logvar: ["logvar"],
  },
  optional: ["moments", "mean", "logvar"],
};

/** An ONNX file, loaded. Inputs of float32 are converted to what the file takes, and back. */
export class OnnxNetwork implements NetworkSession {
  readonly inputs: readonly { readonly name: string }[];
  /** The file's name for each of our inputs and outputs that it has. */
  readonly #own: {
    readonly inputs: Map<string, TensorInfo>;
    readonly outputs: Map<string, string>;
  };

  private constructor(
    readonly path: string,
    readonly session: Session,
    readonly runtime: SessionBuilder["runtime"],
    names: OnnxNames,
  ) {
    const inputs = new Map<string, TensorInfo>(), outputs = new Map<string, string>();
    for (const info of session.inputs) {
      const ours = keyOf(names.inputs, info.name);
      if (ours !== undefined) inputs.set(ours, info);
      else throw misfit(path, `it takes ${info.name}, which is not known`);
    }
    for (const [ours, spellings] of Object.entries(names.outputs)) {
      const found = spellings.find((name) => session.outputs.some((info) => info.name === name));
      if (found !== undefined) outputs.set(ours, found);
      else if (!names.optional?.includes(ours)) {
        const got = session.outputs.map(({ name }) => name).join(", ");
        throw misfit(path, `it gives ${got}; expected ${spellings.join(" or ")}`);
      }
    }
    this.#own = { inputs, outputs };
    this.inputs = [...inputs.keys()].map((name) => ({ name }));
  }

  /** Loads `path`. @throws {ModelFormatError} for a file that is another network. */
  static async load(
    builder: SessionBuilder,
    path: string,
    names: OnnxNames,
  ): Promise<OnnxNetwork> {
    const session = await builder.load(path);
    try {
      return new OnnxNetwork(path, session, builder.runtime, names);
    } catch (error) {
      session.dispose();
      throw error;
    }
  }

  /** What the file calls an input; undefined where it has none such. */
  nameOf(input: string): string | undefined {
    return this.#own.inputs.get(input)?.name;
  }

  /** Runs it under our names; feeds that the file does not take are left out. */
  async run(
    feeds: Readonly<Record<string, Tensor>>,
    { signal }: RunOptions = {},
  ): Promise<Record<string, Tensor>> {
    const { runtime } = this, made: Tensor[] = [];
    try {
      const own: Record<string, Tensor> = {};
      for (const [ours, info] of this.#own.inputs) {
        const given = feeds[ours];
        if (!given) throw misfit(this.path, `it needs ${info.name}, which this model's kind lacks`);
        const tensor = converted(given, info, runtime);
        if (tensor !== given) made.push(tensor);
        own[info.name] = tensor;
      }
      const wanted = [...this.#own.outputs.values()];
      const results = await this.session.run(own, { outputs: wanted, ...(signal && { signal }) });
      return Object.fromEntries(
        [...this.#own.outputs].map(([ours, name]) => [ours, widened(results[name]!, runtime)]),
      );
    } finally {
      for (const tensor of made) tensor.dispose();
    }
  }

  /** Whether the session was released. */
  get disposed(): boolean {
    return this.session.disposed;
  }

  /** Releases the session. */
  dispose(): void {
    this.session.dispose();
  }
}

function keyOf(spellings: Spellings, name: string): string | undefined {
  return Object.entries(spellings).find(([, all]) => all.includes(name))?.[0];
}

type Runtime = SessionBuilder["runtime"];

/** `tensor` in the type that an input takes; a timestep also in its shape. */
function converted(tensor: Tensor, { name, dtype, shape }: TensorInfo, runtime: Runtime): Tensor {
  const single = name === "timestep" && (shape.length === 0 || shape[0] === 1);
  if (tensor.dtype === dtype && !single) return tensor;
  const size = single ? shape.map(() => 1) : tensor.shape;
  const all = Array.from(tensor.data as Iterable<number | bigint>, Number);
  const numbers = single ? all.slice(0, 1) : all;
  if (dtype === "int64") {
    return Tensor.from(runtime, dtype, BigInt64Array.from(numbers, BigInt), size);
  }
  if (dtype === "int32") return Tensor.from(runtime, dtype, Int32Array.from(numbers), size);
  if (dtype === "float16") return Tensor.from(runtime, dtype, Float16Array.from(numbers), size);
  if (dtype === "float32") return Tensor.from(runtime, dtype, Float32Array.from(numbers), size);
  throw new TypeError(`Cannot feed ${name}: it takes ${dtype}, which is not known.`);
}

/** A float16 result as float32; it is disposed. */
function widened(tensor: Tensor, runtime: Runtime): Tensor {
  if (tensor.dtype === "float32") return tensor;
  using half = tensor;
  const wide = Float32Array.from(half.data as Float16Array);
  return Tensor.from(runtime, "float32", wide, [...half.shape]);
}

function misfit(path: string, why: string): ModelFormatError {
  return new ModelFormatError(`Cannot use ${path}: ${why}. Is it another network?`, { path });
}
