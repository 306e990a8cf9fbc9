import { appendProviders } from "./append_providers.ts";
import type { ProviderError } from "./errors.ts";
import type { Handle, Resource } from "./handle.ts";
import { cpath, cstring, CStrings } from "./memory.ts";
import type { Native } from "./native.ts";
import { RECORD_PLACEMENT } from "./placement.ts";
import { cpu, type Provider } from "./providers.ts";
import type { Tensor } from "./tensor.ts";

/** `enum OrtLoggingLevel`. */
const LOG_LEVELS = { verbose: 0, info: 1, warning: 2, error: 3, fatal: 4 } as const;
/** `enum GraphOptimizationLevel`. */
const OPTIMIZATIONS = { disabled: 0, basic: 1, extended: 2, layout: 3, all: 99 } as const;
/** `enum ExecutionMode`. */
const EXECUTION_MODES = { sequential: 0, parallel: 1 } as const;

/** How much ONNX Runtime says on standard error. */
export type LogLevel = "verbose" | "info" | "warning" | "error" | "fatal";

/** How far ONNX Runtime rewrites the graph; each level includes the ones before. */
export type Optimization = "disabled" | "basic" | "extended" | "layout" | "all";

/** How a model is loaded and run; what is left out keeps ONNX Runtime's default. */
export interface SessionOptions {
  /**
   * Execution providers in order of preference; `[cpu()]` by default. Without cpu() in the list an
   * operator that no provider takes is an error. A provider that fails is an error unless another
   * follows it: then that one is the fallback, and {@linkcode Session.skipped} says so.
   */
  readonly providers?: readonly Provider[];
  /** Config entries by key (onnxruntime_session_options_config_keys.h). */
  readonly config?: Readonly<Record<string, string>>;
  /** How far the graph is rewritten. */
  readonly optimization?: Optimization;
  /** Threads within an operator. */
  readonly intraOpThreads?: number;
  /** Threads across operators, in parallel execution. */
  readonly interOpThreads?: number;
  /** Whether independent operators may run at once. */
  readonly execution?: "sequential" | "parallel";
  /**
   * Memory to use in place of the model's initializers of these names, no copy; the session keeps it
   * alive. If the model keeps such an initializer in an external file, that file must be found too.
   */
  readonly initializers?: ReadonlyMap<string, Tensor>;
  /**
   * Whether they are put into the graph itself, for providers that compile it; each must be declared
   * as external there. Default false: only kernels read them, and nothing is copied.
   */
  readonly initializersInGraph?: boolean;
  /** Sizes for symbolic dimensions, by name; fixed shapes make faster plans. */
  readonly dimensions?: Readonly<Record<string, number>>;
  /** Plan memory once per set of shapes. */
  readonly memoryPattern?: boolean;
  /** Keep freed CPU memory for the next run. */
  readonly cpuArena?: boolean;
  /** Prefer operators that give the same bits each time. */
  readonly deterministic?: boolean;
  /** Write a trace to a file that begins with this path; see {@linkcode Session.endProfiling}. */
  readonly profile?: string;
  /** Remember which provider runs which operator; see {@linkcode Session.placement}. */
  readonly recordPlacement?: boolean;
  /** How much the session says on standard error. */
  readonly logLevel?: LogLevel;
  /** The session's name in log lines. */
  readonly logId?: string;
  /** Write the optimized model to this path. */
  readonly optimizedModelPath?: string;
}

/** Native session options, with what the session made from them must keep. */
export interface PreparedOptions extends Disposable {
  readonly handle: Handle;
  readonly initializers: readonly Resource[];
  readonly skipped: readonly ProviderError[];
}

/** The number of a log level in `enum OrtLoggingLevel`. */
export function logLevelCode(level: LogLevel): number {
  return choose("log level", LOG_LEVELS, level);
}

/**
 * Makes `OrtSessionOptions`.
 * @throws {TypeError} for an unknown choice or a tensor of another runtime.
 * @throws {RangeError} for a number of threads that is none.
 * @throws {ProviderError} if a provider without a fallback fails.
 */
export function prepareOptions(native: Native, options: SessionOptions): PreparedOptions {
  const pointer = native.pointer("CreateSessionOptions");
  const handle = native.own("SessionOptions", pointer, "ReleaseSessionOptions");
  try {
    setOptions(native, handle.pointer, options);
    const initializers = addInitializers(native, handle.pointer, options);
    const providers = options.providers ?? [cpu()];
    const skipped = appendProviders(native, handle.pointer, providers, native.library);
    return { handle, initializers, skipped, [Symbol.dispose]: () => handle.dispose() };
  } catch (error) {
    handle.dispose();
    throw error;
  }
}

function setOptions(native: Native, pointer: Deno.PointerObject, options: SessionOptions): void {
  const { optimization, intraOpThreads, interOpThreads, execution, memoryPattern, cpuArena } =
    options;
  if (optimization !== undefined) {
    const level = choose("optimization", OPTIMIZATIONS, optimization);
    native.call("SetSessionGraphOptimizationLevel", pointer, level);
  }
  if (intraOpThreads !== undefined) {
    native.call("SetIntraOpNumThreads", pointer, threads("intraOpThreads", intraOpThreads));
  }
  if (interOpThreads !== undefined) {
    native.call("SetInterOpNumThreads", pointer, threads("interOpThreads", interOpThreads));
  }
  if (execution !== undefined) {
    const mode = choose("execution", EXECUTION_MODES, execution);
    native.call("SetSessionExecutionMode", pointer, mode);
  }
  if (memoryPattern !== undefined) {
    native.call(memoryPattern ? "EnableMemPattern" : "DisableMemPattern", pointer);
  }
  if (cpuArena !== undefined) {
    native.call(cpuArena ? "EnableCpuMemArena" : "DisableCpuMemArena", pointer);
  }
  setRest(native, pointer, options);
}

function setRest(native: Native, pointer: Deno.PointerObject, options: SessionOptions): void {
  const { deterministic, profile, logLevel, logId, optimizedModelPath, dimensions } = options;
  if (deterministic !== undefined) native.call("SetDeterministicCompute", pointer, deterministic);
  if (profile !== undefined) native.call("EnableProfiling", pointer, cpath(profile));
  if (logLevel !== undefined) {
    native.call("SetSessionLogSeverityLevel", pointer, logLevelCode(logLevel));
  }
  if (logId !== undefined) native.call("SetSessionLogId", pointer, cstring(logId));
  if (optimizedModelPath !== undefined) {
    native.call("SetOptimizedModelFilePath", pointer, cpath(optimizedModelPath));
  }
  for (const [name, size] of Object.entries(dimensions ?? {})) {
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new RangeError(`Cannot fix the dimension ${name}: got ${size}, expected a size.`);
    }
    native.call("AddFreeDimensionOverrideByName", pointer, cstring(name), size);
  }
  for (const [key, value] of Object.entries(configOf(options))) {
    native.call("AddSessionConfigEntry", pointer, cstring(key), cstring(value));
  }
}

/** The config entries that the options imply, and those given, which win. */
function configOf(options: SessionOptions): Readonly<Record<string, string>> {
  const { config, providers = [], recordPlacement } = options;
  // Without cpu() among the providers, ONNX Runtime must not give operators to the CPU silently.
  const alone = providers.length > 0 && !providers.some(({ via }) => via === "builtin");
  return {
    ...(alone ? { "session.disable_cpu_ep_fallback": "1" } : {}),
    ...(recordPlacement ? { [RECORD_PLACEMENT]: "1" } : {}),
    ...config,
  };
}

function addInitializers(
  native: Native,
  pointer: Deno.PointerObject,
  { initializers = new Map(), initializersInGraph = false }: SessionOptions,
): Resource[] {
  const all = Array.from(initializers, ([name, tensor]) => [name, tensor.use(native)] as const);
  const resources = all.map(([, resource]) => resource);
  if (!initializersInGraph) {
    for (const [name, resource] of all) {
      native.call("AddInitializer", pointer, cstring(name), resource.pointer);
    }
  } else if (all.length > 0) {
    const names = new CStrings(all.map(([name]) => name));
    const values = BigUint64Array.from(
      resources,
      (resource) => Deno.UnsafePointer.value(resource.pointer),
    );
    native.call("AddExternalInitializers", pointer, names.pointers, values, values.length);
  }
  return resources;
}

function threads(what: string, count: number): number {
  if (Number.isInteger(count) && count >= 0 && count < 2 ** 31) return count;
  throw new RangeError(
    `Cannot use ${count} as ${what}: it is no number of threads; expected an integer from 0.`,
  );
}

function choose<T extends Readonly<Record<string, number>>>(
  what: string,
  choices: T,
  choice: keyof T & string,
): number {
  const code = Object.hasOwn(choices, choice) ? choices[choice] : undefined;
  if (code !== undefined) return code;
  throw new TypeError(
    `Cannot use the ${what} ${choice}: it is not known; expected one of ${
      Object.keys(choices).join(", ")
    }.`,
  );
}
