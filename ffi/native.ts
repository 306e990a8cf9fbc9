import type { OrtApi, OrtApiNonblocking } from "./api.ts";
import { OrtError, ortError } from "./errors.ts";
import { Handle, Lifetimes, type Resource } from "./handle.ts";
import { cstring, pointerIn, textAt } from "./memory.ts";

type Functions<R> = { [N in keyof OrtApi]: ReturnType<OrtApi[N]> extends R ? N : never };
/** Functions that answer with an `OrtStatus*`. */
type Checked = Functions<Deno.PointerValue>[keyof OrtApi];
type Release = Extract<keyof OrtApi, `Release${string}`>;
type ButLast<A> = A extends [...infer Rest, unknown] ? Rest : never;

/** OrtLoggingLevel, OrtAllocatorType, OrtMemType. */
const LOG_FATAL = 4, ARENA_ALLOCATOR = 1, DEFAULT_MEMORY = 0;

type Loose = (...args: unknown[]) => Deno.PointerValue;

/**
 * Throws for a failed status and releases it.
 * @throws {OrtError} with the code and text of the status.
 */
export function check(api: OrtApi, status: Deno.PointerValue, operation: string): void {
  if (status === null) return;
  try {
    throw ortError(api.GetErrorCode(status), operation, textAt(api.GetErrorMessage(status)));
  } finally {
    api.ReleaseStatus(status);
  }
}

// Deno before March 2026 (denoland/deno#32775) does not keep the buffers of a nonblocking call alive.
const inFlight = new Set<unknown>();

/** The bound library, seen from the classes above it: checked calls and counted handles. */
export class Native {
  readonly api: OrtApi;
  readonly nonblocking: OrtApiNonblocking;
  readonly lifetimes: Lifetimes = new Lifetimes();
  /** The library's path. */
  readonly library: string;
  /** The default CPU allocator; it belongs to the library. */
  readonly allocator: Deno.PointerValue;
  /** Describes memory that JavaScript and ONNX Runtime share. */
  readonly cpuMemory: Handle;
  readonly #environment: Handle;

  /** Creates ONNX Runtime's environment; it stays quiet, for its errors are thrown anyway. */
  constructor(api: OrtApi, nonblocking: OrtApiNonblocking, library: string) {
    this.library = library;
    this.api = api;
    this.nonblocking = nonblocking;
    const environment = this.pointer("CreateEnv", LOG_FATAL, cstring("latent"));
    this.#environment = this.own("Env", environment, "ReleaseEnv");
    this.call("DisableTelemetryEvents", this.#environment.pointer);
    this.allocator = this.pointer("GetAllocatorWithDefaultOptions");
    const memory = this.pointer("CreateCpuMemoryInfo", ARENA_ALLOCATOR, DEFAULT_MEMORY);
    this.cpuMemory = this.own("MemoryInfo", memory, "ReleaseMemoryInfo");
  }

  /** ONNX Runtime's environment, which everything else needs. */
  get environment(): Resource {
    return this.#environment.resource;
  }

  /** Closes the environment; what still needs it keeps it alive. */
  dispose(): void {
    this.cpuMemory.dispose();
    this.#environment.dispose();
  }

  /** Calls a function that answers with a status. */
  call<N extends Checked>(name: N, ...args: Parameters<OrtApi[N]>): void {
    check(this.api, (this.api[name] as Loose)(...args), name);
  }

  /** Calls it on another thread; the caller keeps alive all memory behind pointers. */
  async callLater<N extends Checked>(name: N, ...args: Parameters<OrtApi[N]>): Promise<void> {
    const call = this.nonblocking[name] as (...args: unknown[]) => Promise<Deno.PointerValue>;
    inFlight.add(args);
    try {
      check(this.api, await call(...args), name);
    } finally {
      inFlight.delete(args);
    }
  }

  /** Calls a function whose last parameter receives a pointer. */
  pointer<N extends Checked>(
    name: N,
    ...args: ButLast<Parameters<OrtApi[N]>>
  ): Deno.PointerValue {
    const out = new BigUint64Array(1);
    check(this.api, (this.api[name] as Loose)(...args, out), name);
    return pointerIn(out);
  }

  /** Calls a function whose last parameter receives a `size_t` or `int64_t`. */
  number<N extends Checked>(name: N, ...args: ButLast<Parameters<OrtApi[N]>>): number {
    const out = new BigInt64Array(1);
    check(this.api, (this.api[name] as Loose)(...args, out), name);
    return Number(out[0]);
  }

  /** Calls a function whose last parameter receives an `int` or an enum. */
  int<N extends Checked>(name: N, ...args: ButLast<Parameters<OrtApi[N]>>): number {
    const out = new Int32Array(1);
    check(this.api, (this.api[name] as Loose)(...args, out), name);
    return out[0] ?? 0;
  }

  /** Calls a function whose last parameter receives text from the default allocator. */
  text<N extends Checked>(name: N, ...args: ButLast<Parameters<OrtApi[N]>>): string {
    const pointer = this.pointer(name, ...args);
    try {
      return textAt(pointer);
    } finally {
      if (pointer !== null) this.call("AllocatorFree", this.allocator, pointer);
    }
  }

  /** Takes ownership of a fresh object. */
  own(
    kind: string,
    pointer: Deno.PointerValue,
    release: Release,
    more: { needs?: readonly Resource[]; keeps?: unknown } = {},
  ): Handle {
    if (pointer === null) {
      throw new OrtError(1, kind, `it reported success but returned no ${kind}`);
    }
    const free = this.api[release] as (pointer: Deno.PointerObject) => void;
    return new Handle({ kind, pointer, release: free, lifetimes: this.lifetimes, ...more });
  }
}
