import { checkTensor } from "./feeds.ts";
import type { Handle, Resource } from "./handle.ts";
import { cstring, pointerIn, pointersAt } from "./memory.ts";
import type { Native } from "./native.ts";
import { cancellable, createRunOptions, type RunSettings } from "./run_options.ts";
import { Tensor } from "./tensor.ts";
import type { TensorInfo } from "./tensor_info.ts";
import type { Turns } from "./turns.ts";

/** A kind of memory, as a provider names it. */
export interface Memory {
  /** `Cpu`, `Cuda`, `CudaPinned`, `WebGPU_Buffer`, ... (onnxruntime/core/framework/allocator.h). */
  readonly name: string;
  /** The device's number; 0 by default. */
  readonly deviceId?: number;
}

/**
 * What a binding is made of.
 * @internal
 */
export interface IoBindingInit {
  readonly native: Native;
  readonly session: Handle;
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  readonly overridable: readonly TensorInfo[];
  readonly turns: Turns;
}

const DEVICE_ALLOCATOR = 0, DEFAULT_MEMORY = 0;

/** Tensors bound to a session's inputs and outputs, for repeated runs. */
export class IoBinding implements Disposable {
  readonly #native: Native;
  readonly #session: Resource;
  readonly #handle: Handle;
  readonly #turns: Turns;
  readonly #init: IoBindingInit;
  readonly #inputs = new Map<string, Tensor>();
  readonly #outputs = new Map<string, Tensor | Memory>();

  /**
   * Made by {@linkcode Session.bind}.
   * @internal
   */
  constructor(init: IoBindingInit) {
    const { native, session, turns } = init;
    this.#native = native;
    this.#session = session.resource;
    this.#turns = turns;
    this.#init = init;
    const pointer = native.pointer("CreateIoBinding", session.pointer);
    // ONNX Runtime's binding shares the values; the arrays under them are ours to keep.
    this.#handle = native.own("IoBinding", pointer, "ReleaseIoBinding", {
      needs: [session.resource],
      keeps: [this.#inputs, this.#outputs],
    });
  }

  /**
   * Binds an input; its elements may change between runs.
   * @throws {TypeError} {RangeError} as {@linkcode Session.run} does.
   */
  bindInput(name: string, tensor: Tensor): this {
    this.#mustBeIdle();
    checkTensor("input", [...this.#init.inputs, ...this.#init.overridable], name, tensor);
    this.#refuseOverlap(name, tensor, this.#outputs);
    const resource = tensor.use(this.#native);
    this.#native.call("BindInput", this.#handle.pointer, cstring(name), resource.pointer);
    this.#inputs.set(name, tensor);
    return this;
  }

  /**
   * Binds an output to a tensor that each run overwrites, or to a kind of memory in which each run
   * allocates a fresh one.
   */
  bindOutput(name: string, target: Tensor | Memory): this {
    this.#mustBeIdle();
    if (target instanceof Tensor) {
      checkTensor("output", this.#init.outputs, name, target);
      this.#refuseOverlap(name, target, new Map([...this.#inputs, ...this.#outputs]));
      const resource = target.use(this.#native);
      this.#native.call("BindOutput", this.#handle.pointer, cstring(name), resource.pointer);
      this.#outputs.set(name, target);
    } else {
      if (!this.#init.outputs.some((each) => each.name === name)) {
        throw new TypeError(`Cannot bind the output ${name}: the model has none of that name.`);
      }
      this.#bindToMemory(name, target);
      this.#outputs.set(name, target);
    }
    return this;
  }

  /** Runs on another thread; results come from {@linkcode IoBinding.outputs}. Throws as a run does. */
  async run(settings: RunSettings = {}): Promise<void> {
    const native = this.#native, session = this.#session, binding = this.#handle.resource;
    const used = [...this.#prepare(), session, binding];
    for (const resource of used) resource.retain();
    try {
      using options = createRunOptions(native, settings);
      const run = () =>
        native.callLater("RunWithBinding", session.pointer, options.pointer, binding.pointer);
      const { signal } = settings;
      await this.#turns.take(() => cancellable(native, options, signal, run), signal);
    } finally {
      for (const resource of used) resource.letGo();
    }
  }

  /** Runs on this thread and blocks it. */
  runSync(settings: Omit<RunSettings, "signal"> = {}): void {
    this.#mustBeIdle();
    this.#prepare();
    using options = createRunOptions(this.#native, settings);
    this.#native.call(
      "RunWithBinding",
      this.#session.pointer,
      options.pointer,
      this.#handle.pointer,
    );
  }

  /** The outputs of the last run: the bound tensors, and fresh ones for outputs bound to memory. */
  outputs(): Record<string, Tensor> {
    this.#mustBeIdle();
    const array = new BigUint64Array(1);
    const count = this.#native.number(
      "GetBoundOutputValues",
      this.#handle.pointer,
      this.#native.allocator,
      array,
    );
    const list = pointerIn(array);
    const tensors: Record<string, Tensor> = {};
    try {
      // ONNX Runtime keeps the outputs in the order in which their names were first bound.
      const bound = [...this.#outputs];
      pointersAt(list, count).forEach((pointer, index) => {
        const [name, target] = bound[index] ?? [];
        if (name === undefined) return;
        const tensor = Tensor.adopt(this.#native, pointer);
        if (target instanceof Tensor) tensor.dispose();
        tensors[name] = target instanceof Tensor ? target : tensor;
      });
    } finally {
      if (list !== null) this.#native.call("AllocatorFree", this.#native.allocator, list);
    }
    return tensors;
  }

  /** Waits for copies of inputs to a device. */
  synchronizeInputs(): void {
    this.#native.call("SynchronizeBoundInputs", this.#handle.pointer);
  }

  /** Waits for the device to have written the outputs. */
  synchronizeOutputs(): void {
    this.#native.call("SynchronizeBoundOutputs", this.#handle.pointer);
  }

  /** Unbinds everything. */
  clear(): void {
    this.#mustBeIdle();
    this.#native.api.ClearBoundInputs(this.#handle.pointer);
    this.#native.api.ClearBoundOutputs(this.#handle.pointer);
    this.#inputs.clear();
    this.#outputs.clear();
  }

  /** Closes the binding once no run uses it; more calls do nothing. */
  dispose(): void {
    this.#handle.dispose();
  }

  /** The same as {@linkcode IoBinding.dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /**
   * Checks that all is bound and usable, and asks for fresh outputs where no tensor is bound.
   * @returns what the bound tensors own, for the run to hold.
   */
  #prepare(): Resource[] {
    void this.#handle.pointer;
    const missing = this.#init.inputs.filter(({ name }) => !this.#inputs.has(name));
    if (missing.length > 0 || this.#outputs.size === 0) {
      throw new TypeError(
        missing.length > 0
          ? `Cannot run the binding: inputs are not bound: ${
            missing.map((i) => i.name).join(", ")
          }.`
          : "Cannot run the binding: no output is bound.",
      );
    }
    const targets = [...this.#outputs.values()];
    const tensors = [...this.#inputs.values(), ...targets.filter((each) => each instanceof Tensor)];
    const resources = tensors.map((tensor) => tensor.use(this.#native));
    for (const [name, target] of this.#outputs) {
      if (!(target instanceof Tensor)) this.#bindToMemory(name, target);
    }
    return resources;
  }

  /** Also drops the result of the run before, which a further run would otherwise overwrite. */
  #bindToMemory(name: string, { name: memory, deviceId = 0 }: Memory): void {
    const native = this.#native;
    using info = native.own(
      "MemoryInfo",
      native.pointer(
        "CreateMemoryInfo",
        cstring(memory),
        DEVICE_ALLOCATOR,
        deviceId,
        DEFAULT_MEMORY,
      ),
      "ReleaseMemoryInfo",
    );
    native.call("BindOutputToDevice", this.#handle.pointer, cstring(name), info.pointer);
  }

  #refuseOverlap(name: string, tensor: Tensor, others: ReadonlyMap<string, Tensor | Memory>): void {
    for (const [other, target] of others) {
      if (other === name || !(target instanceof Tensor) || !tensor.overlaps(target)) continue;
      throw new TypeError(
        `Cannot bind ${name}: it shares memory with ${other}, and the order of writing is undefined. ` +
          "Use two buffers in turn.",
      );
    }
  }

  #mustBeIdle(): void {
    if (!this.#turns.busy) return;
    throw new TypeError(
      "Cannot use the binding now: a nonblocking run is going on. Await it first.",
    );
  }
}
