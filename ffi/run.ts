import type { Named } from "./feeds.ts";
import type { Handle, Resource } from "./handle.ts";
import { pointerIn } from "./memory.ts";
import type { Native } from "./native.ts";
import { cancellable, createRunOptions, type RunSettings } from "./run_options.ts";
import { Tensor } from "./tensor.ts";

/** What a call of `Run` consists of, all of it checked. */
export interface RunInit extends RunSettings {
  readonly native: Native;
  readonly session: Resource;
  /** The address of each name's C string; the session keeps the strings. */
  readonly addresses: ReadonlyMap<string, bigint>;
  readonly feeds: readonly Named[];
  readonly outputs: readonly string[];
  readonly into: Readonly<Record<string, Tensor>>;
}

/** One call of `Run`: holds everything that C reads or writes until it is closed. */
export class RunCall implements Disposable {
  readonly #native: Native;
  readonly #init: RunInit;
  readonly #options: Handle;
  readonly #used: Resource[] = [];
  readonly #inputNames: BigUint64Array<ArrayBuffer>;
  readonly #inputs: BigUint64Array<ArrayBuffer>;
  readonly #outputNames: BigUint64Array<ArrayBuffer>;
  readonly #results: BigUint64Array<ArrayBuffer>;

  /** Takes hold of the session and the tensors. Throws DisposedError for a disposed one. */
  constructor(init: RunInit) {
    const { native, session, addresses, feeds, outputs, into } = init;
    this.#native = native;
    this.#init = init;
    this.#options = createRunOptions(native, init);
    try {
      this.#hold(session);
      this.#inputNames = addressesOf(addresses, feeds.map(([name]) => name));
      this.#inputs = BigUint64Array.from(feeds, ([, tensor]) => this.#hold(tensor.use(native)));
      this.#outputNames = addressesOf(addresses, outputs);
      this.#results = BigUint64Array.from(outputs, (name) => {
        const target = Object.hasOwn(into, name) ? into[name] : undefined;
        return target === undefined ? 0n : this.#hold(target.use(native));
      });
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Runs on this thread. */
  now(): Record<string, Tensor> {
    this.#native.call("Run", ...this.#arguments());
    return this.#tensors();
  }

  /** Runs on another thread. */
  async later(): Promise<Record<string, Tensor>> {
    const { signal } = this.#init;
    const start = () => this.#native.callLater("Run", ...this.#arguments());
    try {
      await cancellable(this.#native, this.#options, signal, start);
    } catch (error) {
      for (const tensor of Object.values(this.#fresh())) tensor.dispose();
      throw error;
    }
    return this.#tensors();
  }

  /** Lets go of the session and the tensors. */
  [Symbol.dispose](): void {
    for (const resource of this.#used.splice(0)) resource.letGo();
    this.#options.dispose();
  }

  #hold(resource: Resource): bigint {
    resource.retain();
    this.#used.push(resource);
    return Deno.UnsafePointer.value(resource.pointer);
  }

  #arguments() {
    return [
      this.#init.session.pointer,
      this.#options.pointer,
      this.#inputNames,
      this.#inputs,
      this.#inputs.length,
      this.#outputNames,
      this.#results.length,
      this.#results,
    ] as const;
  }

  /** The given tensors of `into` and fresh ones for the other outputs. */
  #tensors(): Record<string, Tensor> {
    return { ...this.#fresh(), ...this.#init.into };
  }

  #fresh(): Record<string, Tensor> {
    const { outputs, into } = this.#init;
    const tensors: Record<string, Tensor> = {};
    outputs.forEach((name, index) => {
      const pointer = pointerIn(this.#results, index);
      if (pointer === null || Object.hasOwn(into, name)) return;
      tensors[name] = Tensor.adopt(this.#native, pointer);
    });
    return tensors;
  }
}

function addressesOf(
  addresses: ReadonlyMap<string, bigint>,
  names: readonly string[],
): BigUint64Array<ArrayBuffer> {
  return BigUint64Array.from(names, (name) => addresses.get(name) ?? 0n);
}
