/**
 * Sampling on the device: the state, the tables of the plan, the prompts and the noise are copied
 * there once, and every step is one run over memory that stays where it is. Nothing comes back
 * between two steps unless somebody looks.
 *
 * @module
 */

import type { IoBinding, Memory } from "../ffi/io_binding.ts";
import { deviceMemory } from "../ffi/providers.ts";
import type { Session } from "../ffi/session.ts";
import { Tensor } from "../ffi/tensor.ts";
import { toOnnx } from "../graph/onnx_write.ts";
import { identity } from "../graph/ops/elementwise.ts";
import { slice } from "../graph/ops/join.ts";
import { reshape } from "../graph/ops/movement.ts";
import { input, type TensorType, type Value } from "../graph/value.ts";
import { unrecorded } from "./provider_forms.ts";
import type { SessionBuilder } from "./session_builder.ts";
import type { GraphModel } from "../models/graph_model.ts";

/** Contents of the loop's inputs by name. */
export type LoopInputs = Readonly<Record<string, Float32Array | BigInt64Array>>;

/** The state of the loop lies in two places in turn: no kernel writes where another reads. */
const STATE = ["state", "index"] as const;

/** Marks a run that is not to be recorded, and the first of the two recordings. */
const UNRECORDED = "-1", FIRST_RECORDING = 1;

/** A step graph at work, over fixed memory of a device. */
export class DeviceLoop implements Disposable {
  readonly #fixed = new Map<string, Tensor>();
  /** The memory that a step writes to, for steps that begin in the first place and in the second. */
  readonly #turns: [IoBinding, IoBinding];
  readonly #memory: Memory;
  #turn = 0;
  #recordable = false;
  /** Whether a run is going on. */
  busy = false;
  /** How many steps were made, in all runs. */
  steps = 0;
  /**
   * Whether the kernels of a step are recorded and replayed (CUDA graphs). Runs then block the
   * thread, since the recording belongs to it.
   */
  readonly recorded: boolean;

  private constructor(
    readonly step: Session,
    readonly upload: Session,
    readonly download: Session,
    readonly taking: Session,
    readonly builder: SessionBuilder,
  ) {
    this.#turns = [step.bind(), step.bind()];
    const failed = new Set(step.skipped.map(({ provider }) => provider));
    const first = builder.options.providers.find(({ name }) => !failed.has(name));
    const { enable_cuda_graph, trt_cuda_graph_enable } = first?.options ?? {};
    this.recorded = enable_cuda_graph === "1" || trt_cuda_graph_enable === "1";
    this.#memory = first ? deviceMemory(first) : { name: "Cpu" };
  }

  /** Builds the loop of a step graph, see `stepGraph`, on the device of the first provider. */
  static async open(builder: SessionBuilder, graph: GraphModel): Promise<DeviceLoop> {
    const own = graph.inputs.filter((value) => !graph.parameters.includes(value)).map(described);
    const seen = [own.find(({ name }) => name === "state")!, {
      ...described(graph.outputs.clean!),
      name: "clean",
    }];
    const graphs = [graph, copies(own), copies(seen), sampleOf(seen[0]!)];
    const sessions: Session[] = [];
    try {
      for (const each of graphs) {
        sessions.push(await builder.build(each, { recorded: each === graph }));
      }
    } catch (error) {
      for (const session of sessions) session.dispose();
      throw error;
    }
    const [step, upload, download, taking] = sessions as [Session, Session, Session, Session];
    return new DeviceLoop(step, upload, download, taking, builder);
  }

  /** Copies the inputs to the device; `index` 0 and the state of a run's start among them. */
  async begin(inputs: LoopInputs, signal?: AbortSignal): Promise<void> {
    using binding = this.upload.bind();
    const given: Tensor[] = [];
    const own = this.upload.inputs.map(({ name }) => name);
    try {
      for (const { name, shape } of this.upload.inputs) {
        const tensor = this.#over(name, inputs[name], shape as number[]);
        given.push(tensor);
        binding.bindInput(name, tensor);
        binding.bindOutput(there(name), this.#fixed.get(name) ?? this.#memory);
      }
      await binding.run(signal ? { signal } : {});
      const outputs = binding.outputs();
      for (const name of own) this.#fixed.set(name, outputs[there(name)]!);
    } finally {
      for (const tensor of given) tensor.dispose();
    }
    this.#turn = 0;
    this.steps++;
    this.#bind();
  }

  /** Runs one step. */
  async advance(signal?: AbortSignal): Promise<void> {
    const binding = this.#turns[this.#turn]!;
    if (this.recorded) {
      signal?.throwIfAborted();
      const recording = this.#recordable ? `${FIRST_RECORDING + this.#turn}` : UNRECORDED;
      binding.runSync({ config: { gpu_graph_id: recording } });
    } else await binding.run(signal ? { signal } : {});
    this.#keep(binding.outputs());
    this.#turn = 1 - this.#turn;
    this.steps++;
    this.#bind();
    // From here on every step finds all of its memory where it was.
    this.#recordable ||= this.#fixed.has(other("state")) && this.#turn === 0;
  }

  /** Copies the sample and the estimate of the clean picture from the device. */
  read(): { readonly latents: Float32Array; readonly clean: Float32Array } {
    const state = this.#state(), clean = this.#fixed.get("clean");
    if (!state || !clean) throw new TypeError("Cannot read: no step has been run. Advance first.");
    const outputs = this.download.runSync({ state, clean });
    const copied = (name: string) => {
      using tensor = outputs[there(name)]!;
      return (tensor.data as Float32Array).slice(0, clean.size);
    };
    // The sample is the first array of the state.
    return { latents: copied("state"), clean: copied("clean") };
  }

  /** The sample [pictures, channels, height, width] in memory of the device that no other step writes to. */
  take(): Tensor {
    const state = this.#state();
    if (!state) throw new TypeError("Cannot take the sample: no step has been run. Advance first.");
    using binding = this.taking.bind();
    binding.bindInput("state", state).bindOutput("latents", this.#memory);
    binding.runSync();
    return binding.outputs().latents!;
  }

  /** Copies what `take` gave from the device, even after the loop has been released. */
  copied(sample: Tensor): Float32Array {
    const { runtime, options: { providers } } = this.builder;
    const graph = copies([{ name: "sample", dtype: "float32", shape: sample.shape }]);
    using session = runtime.createSession(toOnnx(graph).bytes, {
      providers: providers.map(unrecorded),
    });
    using tensor = session.runSync({ sample })[there("sample")]!;
    return (tensor.data as Float32Array).slice();
  }

  /** Releases the sessions and the memory. */
  [Symbol.dispose](): void {
    for (const binding of this.#turns) binding.dispose();
    for (const tensor of this.#fixed.values()) tensor.dispose();
    this.step.dispose();
    this.upload.dispose();
    this.download.dispose();
    this.taking.dispose();
  }

  /** Where the last step left the state. */
  #state(): Tensor | undefined {
    return this.#fixed.get(this.#turn === 0 ? "state" : other("state"));
  }

  #over(name: string, data: LoopInputs[string] | undefined, shape: readonly number[]): Tensor {
    if (data === undefined) throw new TypeError(`Cannot begin: the input ${name} is missing.`);
    const { runtime } = this.builder;
    return data instanceof BigInt64Array
      ? Tensor.from(runtime, "int64", data as BigInt64Array<ArrayBuffer>, shape)
      : Tensor.from(runtime, "float32", data as Float32Array<ArrayBuffer>, shape);
  }

  /** Binds the memory that is known; outputs that have none yet get it by being computed. */
  #bind(): void {
    const binding = this.#turns[this.#turn]!, memory = this.#memory;
    const [from, to] = this.#turn === 0 ? [same, other] : [other, same];
    const states = new Set<string>(STATE);
    for (const { name } of this.step.inputs) {
      binding.bindInput(name, this.#fixed.get(states.has(name) ? from(name) : name)!);
    }
    for (const name of STATE) {
      binding.bindOutput(`next_${name}`, this.#fixed.get(to(name)) ?? memory);
    }
    binding.bindOutput("clean", this.#fixed.get("clean") ?? memory);
  }

  #keep(outputs: Readonly<Record<string, Tensor>>): void {
    const to = this.#turn === 0 ? other : same;
    for (const name of STATE) this.#fixed.set(to(name), outputs[`next_${name}`]!);
    this.#fixed.set("clean", outputs.clean!);
  }
}

const same = (name: string) => name;
const other = (name: string) => `other ${name}`;
const there = (name: string) => `${name}_there`;

/** What a value is called and holds. */
interface Described extends TensorType {
  readonly name: string;
}

function described({ node, dtype, shape }: Value): Described {
  return { name: node.kind === "input" ? node.name : "", dtype, shape };
}

/** A graph that copies what it is fed. */
function copies(like: readonly Described[]): GraphModel {
  const inputs = like.map(({ name, dtype, shape }) => input(name, dtype, shape));
  const outputs = inputs.map((value, i) => [there(like[i]!.name), identity(value)] as const);
  return {
    name: "copies",
    inputs,
    outputs: Object.fromEntries(outputs),
    parameters: [],
    unexpected: [],
  };
}

/** A graph that copies the sample out of the state: its first array. */
function sampleOf({ name, dtype, shape }: Described): GraphModel {
  const state = input(name, dtype, shape);
  const latents = identity(reshape(slice(state, [0], [1], [0]), shape.slice(1)));
  return { name: "sample", inputs: [state], outputs: { latents }, parameters: [], unexpected: [] };
}
