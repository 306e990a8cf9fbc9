/**
 * What an ONNX Runtime can do on this machine, found by trying.
 *
 * @module
 */

import { LibraryNotFoundError, ProviderError } from "../ffi/errors.ts";
import { ownCacheFolder } from "../ffi/library_folders.ts";
import { admitted, libraryPaths } from "../ffi/library.ts";
import { PACKED } from "../ffi/package.ts";
import { cpu, cuda, openvino, type Provider, webgpu } from "../ffi/providers.ts";
import { openRuntime, type Runtime } from "../ffi/runtime.ts";
import { toOnnx } from "../graph/onnx_write.ts";
import { add } from "../graph/ops/arithmetic.ts";
import { input } from "../graph/value.ts";
import { type DeviceSpeed, deviceSpeed } from "./device_speed.ts";
import { hubCacheFolder } from "./hub_cache.ts";

/** One execution provider of a library. */
export interface ProviderReport {
  /** The name that `--provider` takes. */
  readonly name: "cpu" | "cuda" | "openvino" | "webgpu";
  /** Whether a session could be made with it. */
  readonly works: boolean;
  /** Why not, a sentence. */
  readonly reason?: string;
  /** How fast its device is, if it works. */
  readonly speed?: DeviceSpeed;
}

/** A library that loads. */
export interface LibraryReport {
  /** Where it is. */
  readonly path: string;
  /** Its version. */
  readonly version: string;
  /** ONNX Runtime's names of the providers that it was built with. */
  readonly builtWith: readonly string[];
  /** The providers that the program can use, tried. */
  readonly providers: readonly ProviderReport[];
  /** The devices that its providers see. */
  readonly devices: readonly string[];
}

const PROVIDERS = { cpu: cpu(), cuda: cuda(), openvino: openvino(), webgpu: webgpu() } as const;

/** The libraries that would be tried, in order; a compiled program's own is unpacked for it. */
export function libraryCandidates(): string[] {
  return libraryPaths();
}

/**
 * Loads the library at `path` and tries each provider. A broken library may end the process.
 *
 * @throws {LibraryNotFoundError} if it does not load; others as `openRuntime` does.
 */
export function libraryReport(path: string): LibraryReport {
  const runtime = openRuntime({ library: admitted(path) });
  const names = Object.keys(PROVIDERS) as (keyof typeof PROVIDERS)[];
  return {
    path: runtime.path,
    version: runtime.version,
    builtWith: runtime.providers(),
    providers: names.map((name) => tryProvider(runtime, name, PROVIDERS[name])),
    devices: runtime.devices().map(({ provider, hardware, hardwareVendor }) =>
      `${hardware} ${hardwareVendor} (${provider})`
    ),
  };
}

function tryProvider(
  runtime: Runtime,
  name: ProviderReport["name"],
  provider: Provider,
): ProviderReport {
  const x = input("x", "float32", [1]);
  const { bytes } = toOnnx({ inputs: [x], outputs: { y: add(x, x) } });
  try {
    runtime.createSession(bytes, { providers: [provider] })[Symbol.dispose]();
    return { name, works: true, speed: deviceSpeed(runtime, provider) };
  } catch (error) {
    if (error instanceof ProviderError) return { name, works: false, reason: error.reason };
    return { name, works: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

/** Why a library did not load, a line: of several that were tried, the reason of the first. */
export function libraryFailure(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const reason = error instanceof LibraryNotFoundError ? error.tried[0]?.reason : undefined;
  // Deno says it twice.
  return reason?.replace(/^(?:Could not open library: )+/, "") ?? message;
}

/** Folders that the program keeps things in. */
export interface ProgramFolders {
  /** What can be made or fetched again, and installed runtimes. */
  readonly cache: string | undefined;
  /** Models of the Hub, which other tools share. */
  readonly hub: string;
}

/** Where this process keeps things. */
export function programFolders(): ProgramFolders {
  return {
    cache: ownCacheFolder(),
    hub: hubCacheFolder(Deno.env.toObject()),
  };
}

/** The version of the library inside a compiled program. */
export function packedVersion(): string | undefined {
  return PACKED?.version;
}
