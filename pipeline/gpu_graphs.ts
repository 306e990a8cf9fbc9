/**
 * Networks built of the operators that GPUs have fused kernels for, in half precision on CUDA.
 *
 * @module
 */

import { ProviderError } from "../ffi/errors.ts";
import type { Provider } from "../ffi/providers.ts";
import type { Runtime } from "../ffi/runtime.ts";
import { forGpu } from "../graph/for_gpu.ts";
import { lowering } from "../graph/lowering.ts";
import type { GraphModel } from "../models/graph_model.ts";
import { gpuKernelFault } from "./gpu_kernels.ts";
import { withChannelsLast } from "./provider_forms.ts";

/** The form of graphs, and of providers, for where a builder's networks run. */
export class GpuGraphs {
  readonly #runtime: Runtime;
  readonly #providers: readonly Provider[];
  /** The provider that may have the kernels. */
  readonly #candidate: Provider | undefined;
  readonly #warn: (message: string) => void;
  #hasKernels: Promise<boolean> | undefined;

  /** Takes the providers in order of preference; the first is asked for its kernels. */
  constructor(
    runtime: Runtime,
    { providers, dtype }: {
      readonly providers: readonly Provider[];
      readonly dtype?: "float32" | "float16";
    },
    warn: (message: string) => void,
  ) {
    this.#runtime = runtime;
    this.#providers = providers;
    this.#candidate = dtype === "float16" && providers[0]?.via === "cuda"
      ? providers[0]
      : undefined;
    this.#warn = warn;
  }

  /** The graph of a network, of fused operators where they are there. */
  async graphOf(make: () => GraphModel): Promise<GraphModel> {
    if (!await this.#usesKernels()) return make();
    const model = lowering("gpu", make);
    return { ...model, outputs: forGpu(model.outputs) };
  }

  /** The providers to make its session with. */
  async providers(): Promise<readonly Provider[]> {
    return await this.#usesKernels() ? this.#providers.map(withChannelsLast) : this.#providers;
  }

  #usesKernels(): Promise<boolean> {
    const provider = this.#candidate;
    if (!provider) return Promise.resolve(false);
    return this.#hasKernels ??= this.#ask(provider);
  }

  async #ask(provider: Provider): Promise<boolean> {
    try {
      const fault = await gpuKernelFault(this.#runtime, provider);
      if (fault !== undefined) this.#warn(`networks are built without fused operators: ${fault}`);
      return fault === undefined;
    } catch (error) {
      // Of a provider that does not work at all the sessions say so themselves.
      if (error instanceof ProviderError) return false;
      throw error;
    }
  }
}
