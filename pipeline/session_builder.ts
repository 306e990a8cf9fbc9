/**
 * From a graph to a session: the ONNX bytes, the weights where they lie, and what has to be
 * converted because the execution provider has no kernels for the type in the file.
 *
 * @module
 */

import type { Provider } from "../ffi/providers.ts";
import type { Runtime } from "../ffi/runtime.ts";
import type { Session } from "../ffi/session.ts";
import type { SessionOptions } from "../ffi/session_options.ts";
import type { Tensor } from "../ffi/tensor.ts";
import { toOnnx } from "../graph/onnx_write.ts";
import { partition } from "../graph/partition.ts";
import { leaves, reachable } from "../graph/reachable.ts";
import type { Value } from "../graph/value.ts";
import { weightBehind } from "../graph/weight_views.ts";
import type { GraphModel } from "../models/graph_model.ts";
import { GpuGraphs } from "./gpu_graphs.ts";
import type { NetworkSession } from "./network_session.ts";
import { openvinoGraph, usesOpenvino } from "./openvino.ts";
import { PartedNetwork } from "./parted_network.ts";
import { unrecorded } from "./provider_forms.ts";
import { weightsLeftMapped } from "./weight_packing.ts";
import type { Quantizing } from "./precision.ts";
import type { DerivedOptions, LargeNetwork } from "./derived_weights.ts";
import { quantizedWeights } from "./quantized_weights.ts";
import { SuppliedWeights } from "./supplied_weights.ts";
import { threadOptions } from "./thread_choice.ts";
import { winogradWeights } from "./winograd_weights.ts";
import type { TensorSource } from "../weights/stored_tensor.ts";

/** How sessions are made. */
export interface SessionBuilderOptions {
  /** Execution providers in order of preference. */
  readonly providers: readonly Provider[];
  /** Threads within an operator. Default: see `chooseThreads`. */
  readonly threads?: number;
  /** What the U-Net and the decoder compute in. Default "float32". */
  readonly dtype?: "float32" | "float16";
  /** How the large networks' weights are quantized. Default: not at all. */
  readonly quantizing?: Quantizing;
  /** Take as little memory as can be, at the cost of time. Default false. */
  readonly lowMemory?: boolean;
  /** How their 3x3 kernels are transformed. Default: not at all. */
  readonly winograd?: DerivedOptions;
  /** Where traces of the sessions are written once they are released: the files' common beginning. */
  readonly profile?: string;
  /** Told, once each, what is not as it was asked for: a provider that another stands in for. */
  readonly onWarning?: (message: string) => void;
}

/**
 * Bytes of weights that a session may copy to have them in the order that its kernels like. All
 * others stay mapped: they cost no memory of their own, and no time to load.
 */
const PACKING = { budget: 256 << 20, small: 64 << 20 };

/** The same where memory is what counts. */
const LOW_MEMORY_PACKING = { budget: 64 << 20, small: 16 << 20 };

/** Bytes of weights, as stored, that a part of a network has where memory is what counts. */
const PART_BYTES = 128 << 20;

/** Microseconds that idle threads of a backward pass wait for the next operator without sleeping. */
const SPIN_MICROSECONDS = 20;

/**
 * Optimizers that read weights, or convert them for good. Weights supplied from memory reach the
 * kernels only: an optimizer would look for them in a file, and fail. Those of a part are to stay
 * as they are, mapped.
 */
const READ_WEIGHTS = [
  "NchwcTransformer",
  "ConstantFolding",
  "ConvAddFusion",
  "ConvMulFusion",
  "ConvBNFusion",
  "FuseFp16InitializerToFp32NodeTransformer",
];

/**
 * An optimizer that fails on one reshape after another where the first one's shape is computed, as
 * derivatives have it (`after` in graph/recompute.ts). Shapes are constants elsewhere: there is
 * nothing for it to do.
 */
const JOIN_RESHAPES = ["ReshapeFusion"];

/** Builds sessions; those of other picture sizes share the weights that had to be converted. */
export class SessionBuilder {
  readonly #supplied: SuppliedWeights;
  readonly #derived = new WeakMap<TensorSource, Promise<TensorSource>>();
  readonly #warned = new Set<string>();
  readonly #threads: Pick<SessionOptions, "intraOpThreads" | "config">;
  readonly #gpu: GpuGraphs;

  constructor(readonly runtime: Runtime, readonly options: SessionBuilderOptions) {
    this.#supplied = new SuppliedWeights(runtime);
    this.#threads = threadOptions(options.threads);
    this.#gpu = new GpuGraphs(runtime, options, (message) => this.warn(message));
  }

  /** The weights of a network as sessions here have them: in another form, once, where that is asked. */
  weightsOf(network: LargeNetwork, source: TensorSource): Promise<TensorSource> {
    const { quantizing, winograd } = this.options;
    if (!quantizing && !winograd) return Promise.resolve(source);
    let weights = this.#derived.get(source);
    if (!weights) {
      const onWarning = (message: string) => this.warn(message);
      weights = quantizing
        ? quantizedWeights(network, source, { ...quantizing, onWarning })
        : winogradWeights(network, source, { ...winograd!, onWarning });
      this.#derived.set(source, weights);
      weights.catch(() => this.#derived.delete(source)); // told to those who wait, not remembered
    }
    return weights;
  }

  /** A large network's graph in the form for where it runs. */
  graphOf(make: () => GraphModel): Promise<GraphModel> {
    return this.#gpu.graphOf(make);
  }

  /**
   * Builds the session of `model`. Weights in F32 stay in their file, mapped by ONNX Runtime. Only a
   * session whose memory never moves may be `recorded`, where the provider is asked to (CUDA graphs).
   * One with a `backward` pass lets its threads sleep between operators: waiting awake for thousands
   * that only one thread works at costs as much of the processor as the work.
   */
  async build(
    model: GraphModel,
    { recorded = false, isPart = false, backward = false } = {},
  ): Promise<Session> {
    const { lowMemory = false } = this.options, isCompiled = this.#isCompiled;
    const graph = isCompiled ? openvinoGraph(model) : model;
    // Only the processor reads weights where they are; others copy, and reorder what is constant.
    const isElsewhere = this.options.providers.some(({ via }) => via !== "builtin");
    const variable = isPart || isElsewhere
      ? new Set<Value>()
      : weightsLeftMapped(model, lowMemory ? LOW_MEMORY_PACKING : PACKING);
    const { bytes, initializers, externalRoot } = toOnnx({ ...graph, variable });
    const { profile } = this.options;
    const supplied = new Map<string, Tensor>();
    // One at a time: what is read and not yet converted stays small.
    for (const weight of initializers) supplied.set(weight.name, await this.#supplied.of(weight));
    const chosen = await this.#gpu.providers();
    const providers = recorded ? chosen : chosen.map(unrecorded);
    const session = await this.runtime.loadSession(bytes, {
      ...this.#threads,
      providers,
      initializers: supplied,
      initializersInGraph: isCompiled,
      // The plan's one block would come on top of what the arena keeps from the first run.
      memoryPattern: false,
      ...(lowMemory && { cpuArena: false }),
      ...(profile !== undefined && { profile: `${profile}_${model.name}` }),
      config: {
        ...this.#threads.config,
        "optimization.disable_specified_optimizers": [
          ...(supplied.size > 0 || isPart ? READ_WEIGHTS : []),
          ...JOIN_RESHAPES,
        ].join(";"),
        ...(isPart && { "session.disable_prepacking": "1" }),
        ...(backward && { "session.intra_op.spin_duration_us": `${SPIN_MICROSECONDS}` }),
        ...(externalRoot !== undefined && {
          "session.model_external_initializers_file_folder_path": externalRoot,
        }),
      },
    });
    for (const { message } of session.skipped) this.warn(message);
    return session;
  }

  /** Loads an ONNX file as it is; weights beside it are found by its path. */
  async load(path: string): Promise<Session> {
    const session = await this.runtime.loadSession(await Deno.realPath(path), {
      ...this.#threads,
      providers: this.options.providers.map(unrecorded),
      memoryPattern: false,
    });
    for (const { message } of session.skipped) this.warn(message);
    return session;
  }

  /**
   * Builds a network with many weights. Where memory is what counts and its file has them in half
   * precision, in parts that convert their weights whenever they run: then they stay mapped, too.
   */
  async buildLarge(model: GraphModel): Promise<NetworkSession> {
    const inParts = this.options.lowMemory && !this.#isCompiled && hasConversions(model);
    if (!inParts) return await this.build(model);
    const sessions: Session[] = [];
    try {
      for (const part of partition(model.outputs, PART_BYTES)) {
        sessions.push(await this.build({ ...model, ...part }, { isPart: true }));
      }
    } catch (error) {
      for (const session of sessions) session.dispose();
      throw error;
    }
    return new PartedNetwork(sessions, new Set(Object.keys(model.outputs)));
  }

  /** Tells a warning, once. */
  warn(message: string): void {
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    this.options.onWarning?.(message);
  }

  /** Whether a provider makes one program of the graph, weights and all. */
  get #isCompiled(): boolean {
    return usesOpenvino(this.options.providers);
  }
}

/** Whether the file of some weight has another type than the graph. */
function hasConversions({ outputs }: GraphModel): boolean {
  return leaves(reachable(Object.values(outputs))).some((value) => {
    const weight = weightBehind(value);
    return weight && "file" in weight.source && weight.source.storedAs !== undefined;
  });
}
