import { checkFeeds, checkInto, checkOutputs } from "./feeds.ts";
import type { Handle } from "./handle.ts";
import { IoBinding } from "./io_binding.ts";
import { addressOf, cstring } from "./memory.ts";
import { type ModelMetadata, readMetadata } from "./metadata.ts";
import type { Native } from "./native.ts";
import type { ProviderError } from "./errors.ts";
import { type PlacedNode, readPlacement } from "./placement.ts";
import { RunCall } from "./run.ts";
import type { RunSettings } from "./run_options.ts";
import type { Tensor } from "./tensor.ts";
import { readInfos, type TensorInfo } from "./tensor_info.ts";
import { Turns } from "./turns.ts";

/** What a run takes beside its inputs. */
export interface RunOptions extends RunSettings {
  /** The outputs wanted; all of them by default. */
  readonly outputs?: readonly string[];
  /** Tensors to write outputs into instead of fresh ones. */
  readonly into?: Readonly<Record<string, Tensor>>;
}

/**
 * What a session is made of.
 * @internal
 */
export interface SessionInit {
  readonly native: Native;
  readonly handle: Handle;
  readonly profiling: boolean;
  readonly skipped: readonly ProviderError[];
}

/**
 * A loaded model. Runs take turns; a run that has begun finishes even if the session is disposed
 * meanwhile, and only then is the model's memory released.
 */
export class Session implements Disposable {
  /** What the model needs. */
  readonly inputs: readonly TensorInfo[];
  /** What the model computes. */
  readonly outputs: readonly TensorInfo[];
  /** Initializers of the model that a feed may replace. */
  readonly overridable: readonly TensorInfo[];
  /** The providers that failed and were replaced by a later one in the list; report them. */
  readonly skipped: readonly ProviderError[];
  readonly #native: Native;
  readonly #handle: Handle;
  readonly #turns = new Turns();
  readonly #addresses: ReadonlyMap<string, bigint>;
  #profiling: boolean;

  /**
   * Made by {@linkcode Runtime.createSession}.
   * @internal
   */
  constructor({ native, handle, profiling, skipped }: SessionInit) {
    this.#native = native;
    this.#handle = handle;
    this.#profiling = profiling;
    this.skipped = skipped;
    const { pointer } = handle;
    this.inputs = readInfos(native, pointer, "Input");
    this.outputs = readInfos(native, pointer, "Output");
    this.overridable = readInfos(native, pointer, "OverridableInitializer");
    const all = [...this.inputs, ...this.outputs, ...this.overridable];
    const names = new Map(all.map(({ name }) => [name, cstring(name)]));
    // C reads the names during runs, which hold the session's resource and not the session.
    handle.resource.keeps = [handle.resource.keeps, names];
    this.#addresses = new Map([...names].map(([name, text]) => [name, addressOf(text)]));
  }

  /** What the model file says about itself. */
  get metadata(): ModelMetadata {
    return readMetadata(this.#native, this.#handle.pointer);
  }

  /**
   * Which provider runs which operator; needs the option `recordPlacement`.
   * @throws {LibraryVersionError} before ONNX Runtime 1.25.
   */
  get placement(): readonly PlacedNode[] {
    return readPlacement(this.#native, this.#handle.pointer);
  }

  /**
   * Runs the model on another thread, after the runs that came before.
   *
   * @returns one tensor for each output asked for; those of `into` are the given ones.
   * @throws {TypeError} for a missing or unknown name, a wrong dtype, or shared memory.
   * @throws {RangeError} for a wrong shape.
   * @throws {DisposedError} if the session or a tensor was disposed.
   * @throws {OrtError} if the run itself fails.
   * @throws the signal's reason if it aborts; the session stays usable.
   */
  async run(
    feeds: Readonly<Record<string, Tensor>>,
    options: RunOptions = {},
  ): Promise<Record<string, Tensor>> {
    using call = this.#prepare(feeds, options);
    return await this.#turns.take(() => call.later(), options.signal);
  }

  /**
   * Runs the model on this thread and blocks it. Throws as {@linkcode Session.run} does, and
   * @throws {TypeError} while a nonblocking run is going on, or if there is a signal.
   */
  runSync(
    feeds: Readonly<Record<string, Tensor>>,
    options: Omit<RunOptions, "signal"> = {},
  ): Record<string, Tensor> {
    this.#mustBeIdle();
    using call = this.#prepare(feeds, options);
    return call.now();
  }

  /** A binding of tensors to names, for many runs over the same memory or a device's. */
  bind(): IoBinding {
    return new IoBinding({
      native: this.#native,
      session: this.#handle,
      inputs: this.inputs,
      outputs: this.outputs,
      overridable: this.overridable,
      turns: this.#turns,
    });
  }

  /**
   * Ends profiling and writes the trace.
   * @returns the path of the JSON file (chrome://tracing).
   * @throws {TypeError} if the session was not made with `profile`, or it has ended.
   */
  endProfiling(): string {
    if (!this.#profiling) {
      throw new TypeError(
        "Cannot end profiling: it is not on. Create the session with the option profile.",
      );
    }
    this.#mustBeIdle();
    const path = this.#native.text(
      "SessionEndProfiling",
      this.#handle.pointer,
      this.#native.allocator,
    );
    this.#profiling = false;
    return path;
  }

  /** Whether it was disposed. */
  get disposed(): boolean {
    return this.#handle.disposed;
  }

  /** Closes the session; runs already accepted finish first. More calls do nothing. */
  dispose(): void {
    this.#handle.dispose();
  }

  /** The same as {@linkcode Session.dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  #prepare(feeds: Readonly<Record<string, Tensor>>, options: RunOptions): RunCall {
    void this.#handle.pointer;
    const { into = {} } = options;
    const outputs = options.outputs ?? this.outputs.map(({ name }) => name);
    const named = checkFeeds(this.inputs, this.overridable, feeds);
    checkOutputs(this.outputs, outputs);
    checkInto(this.outputs.filter(({ name }) => outputs.includes(name)), into, named);
    return new RunCall({
      native: this.#native,
      session: this.#handle.resource,
      addresses: this.#addresses,
      feeds: named,
      outputs: [...new Set(outputs)],
      into: { ...into },
      config: options.config,
      signal: options.signal,
    });
  }

  #mustBeIdle(): void {
    if (!this.#turns.busy) return;
    throw new TypeError(
      "Cannot use the session now: a nonblocking run is going on. Await it first.",
    );
  }
}
