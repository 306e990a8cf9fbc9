import { type EpDevice, readDevices } from "./devices.ts";
import { type Library, libraryPaths, openLibrary } from "./library.ts";
import { pointerIn, pointersAt, textAt } from "./memory.ts";
import { Native } from "./native.ts";
import type { Session } from "./session.ts";
import { Attempts, creation, openSession } from "./session_creation.ts";
import {
  type LogLevel,
  logLevelCode,
  prepareOptions,
  type SessionOptions,
} from "./session_options.ts";

/** How {@linkcode openRuntime} finds and sets up the library. */
export interface RuntimeOptions {
  /** The library's path; without it see {@linkcode candidates}. */
  readonly library?: string;
  /** What ONNX Runtime says on standard error ; `"fatal"` by default, as errors are thrown. */
  readonly logLevel?: LogLevel;
  /** Receives a line for each native object created (`+NEW ...`) and released (`-DROP ...`). */
  readonly trace?: (line: string) => void;
}

const runtimes = new Map<string, Runtime>();

/**
 * Opens ONNX Runtime, once per library: later calls give the same runtime.
 *
 * @throws {LibraryNotFoundError} if no library loads.
 * @throws {MissingSymbolError} if what loads is not ONNX Runtime.
 * @throws {LibraryVersionError} if it is older than 1.22.
 */
export function openRuntime(options: RuntimeOptions = {}): Runtime {
  const paths = libraryPaths(options.library);
  const key = paths.join("\n");
  let runtime = runtimes.get(key);
  if (runtime === undefined) {
    const library = openLibrary(paths);
    runtime = runtimes.get(library.path) ?? new Runtime(library);
    runtimes.set(key, runtime).set(library.path, runtime);
  }
  if (options.trace !== undefined) runtime.native.lifetimes.trace = options.trace;
  if (options.logLevel !== undefined) runtime.setLogLevel(options.logLevel);
  return runtime;
}

/** An open ONNX Runtime with its environment; it lives until the program ends. */
export class Runtime {
  /** The library's version, such as `1.30.0`. */
  readonly version: string;
  /** Where the library was found. */
  readonly path: string;
  /**
   * The bound library, for this folder.
   * @internal
   */
  readonly native: Native;

  /**
   * Made by {@linkcode openRuntime}.
   * @internal
   */
  constructor(library: Library) {
    this.version = library.version;
    this.path = library.path;
    this.native = new Native(library.api, library.nonblocking, library.path);
  }

  /** How many native objects of each kind are alive. */
  get alive(): ReadonlyMap<string, number> {
    return this.native.lifetimes.alive;
  }

  /** Options that the library was built with. */
  get buildInfo(): string {
    return textAt(this.native.api.GetBuildInfoString());
  }

  /** The names of the providers built into the library, most preferred first. */
  providers(): string[] {
    const array = new BigUint64Array(1);
    const count = this.native.int("GetAvailableProviders", array);
    const list = pointerIn(array);
    try {
      return pointersAt(list, count).map(textAt);
    } finally {
      this.native.call("ReleaseAvailableProviders", list, count);
    }
  }

  /** The devices that the providers built in and registered offer. */
  devices(): Omit<EpDevice, "pointer">[] {
    return readDevices(this.native).map(({ pointer: _, ...device }) => device);
  }

  /** Sets how much is said on standard error. */
  setLogLevel(level: LogLevel): void {
    const { native } = this;
    native.call("UpdateEnvWithCustomLogLevel", native.environment.pointer, logLevelCode(level));
  }

  /**
   * Loads a model and blocks this thread meanwhile.
   *
   * @param model the bytes of an ONNX file, or its path.
   * @throws {OrtError} if the model cannot be loaded.
   * @throws {ProviderError} if a provider without a fallback fails.
   */
  createSession(model: Uint8Array | string, options: SessionOptions = {}): Session {
    const attempts = new Attempts(options);
    for (;;) {
      using prepared = prepareOptions(this.native, attempts.options);
      try {
        const out = new BigUint64Array(1);
        const call = creation(this.native, model, prepared, out);
        this.native.call(call.name, ...call.arguments);
        return openSession(this.native, out, prepared, attempts, model);
      } catch (error) {
        attempts.fallBack(error, prepared.skipped);
      }
    }
  }

  /** Loads a model on another thread; otherwise the same as {@linkcode Runtime.createSession}. */
  async loadSession(model: Uint8Array | string, options: SessionOptions = {}): Promise<Session> {
    const attempts = new Attempts(options);
    for (;;) {
      using prepared = prepareOptions(this.native, attempts.options);
      try {
        const out = new BigUint64Array(1);
        const call = creation(this.native, model, prepared, out);
        await this.native.callLater(call.name, ...call.arguments);
        return openSession(this.native, out, prepared, attempts, model);
      } catch (error) {
        attempts.fallBack(error, prepared.skipped);
      }
    }
  }
}
