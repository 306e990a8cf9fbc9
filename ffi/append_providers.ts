import { hasDependencies, loadDependencies, missingText } from "./dependencies.ts";
import { type EpDevice, readDevices } from "./devices.ts";
import { OrtError, ProviderError } from "./errors.ts";
import { cpath, cstring, CStrings } from "./memory.ts";
import type { Native } from "./native.ts";
import type { Provider } from "./providers.ts";

/** Libraries opened for their own sake; they stay open as long as the program runs. */
const preloaded = new Set<string>();

/** Plugin libraries registered with each environment, by path. */
const registered = new WeakMap<Native, Set<string>>();

/**
 * Adds the providers to session options, in order of preference.
 *
 * @param library the path of ONNX Runtime's library, from which dependencies are looked for.
 * @returns one error for each provider that failed and has another after it, which is its fallback.
 * @throws {ProviderError} if a provider fails that has no other after it.
 */
export function appendProviders(
  native: Native,
  options: Deno.PointerObject,
  providers: readonly Provider[],
  library: string,
): ProviderError[] {
  const skipped: ProviderError[] = [];
  providers.forEach((provider, index) => {
    let missing = "";
    try {
      preload(provider);
      if (hasDependencies(provider)) missing = missingText(loadDependencies(provider, library));
      append(native, options, provider);
    } catch (cause) {
      const error = providerError(provider, cause, missing);
      if (index === providers.length - 1) throw error;
      skipped.push(error);
    }
  });
  return skipped;
}

/** What ONNX Runtime answers where a provider's library, or one that it needs, is not there. */
const NOT_LOADED = /cannot open shared object file|Failed to load shared library/;

/** Says that a provider failed, and why; `missing` are sentences on libraries that it needs. */
export function providerError(provider: Provider, cause: unknown, missing = ""): ProviderError {
  if (cause instanceof ProviderError) return cause;
  const reason = reasonOf(cause);
  // The loader stops at the first library that it does not find.
  const explains = missing !== "" && NOT_LOADED.test(reason);
  return new ProviderError(provider.name, explains ? missing : reason, { cause });
}

/** ONNX Runtime's text without the places in its source code that it begins with. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof OrtError)) return cause instanceof Error ? cause.message : String(cause);
  const text = cause.detail.trim()
    .replace(/^.*\[ONNXRuntimeError\] : \d+ : \w+ : /s, "")
    .replace(/^\/\S+:\d+ .* was false\. /s, "");
  return /[.!]$/.test(text) ? text : `${text}.`;
}

function append(native: Native, options: Deno.PointerObject, provider: Provider): void {
  const keys = new CStrings(Object.keys(provider.options));
  const values = new CStrings(Object.values(provider.options));
  switch (provider.via) {
    case "builtin":
      return;
    case "cuda":
      return appendBridged(native, options, CUDA_CALLS, keys, values);
    case "tensorrt":
      return appendBridged(native, options, TENSORRT_CALLS, keys, values);
    case "openvino":
      return native.call(
        "SessionOptionsAppendExecutionProvider_OpenVINO_V2",
        options,
        keys.pointers,
        values.pointers,
        keys.length,
      );
    case "named":
      return native.call(
        "SessionOptionsAppendExecutionProvider",
        options,
        cstring(provider.name),
        keys.pointers,
        values.pointers,
        keys.length,
      );
    case "plugin":
      return appendPlugin(native, options, provider, keys, values);
  }
}

/** The functions of a provider whose options are an object of their own. */
const CUDA_CALLS = {
  create: "CreateCUDAProviderOptions",
  update: "UpdateCUDAProviderOptions",
  append: "SessionOptionsAppendExecutionProvider_CUDA_V2",
  release: "ReleaseCUDAProviderOptions",
} as const;
const TENSORRT_CALLS = {
  create: "CreateTensorRTProviderOptions",
  update: "UpdateTensorRTProviderOptions",
  append: "SessionOptionsAppendExecutionProvider_TensorRT_V2",
  release: "ReleaseTensorRTProviderOptions",
} as const;

function appendBridged(
  native: Native,
  options: Deno.PointerObject,
  { create, update, append, release }: typeof CUDA_CALLS | typeof TENSORRT_CALLS,
  keys: CStrings,
  values: CStrings,
): void {
  using own = native.own("ProviderOptions", native.pointer(create), release);
  native.call(update, own.pointer, keys.pointers, values.pointers, keys.length);
  native.call(append, options, own.pointer);
}

function appendPlugin(
  native: Native,
  options: Deno.PointerObject,
  provider: Provider,
  keys: CStrings,
  values: CStrings,
): void {
  if (provider.library !== undefined) register(native, provider.name, provider.library);
  const all = readDevices(native);
  const own = all.filter((device) => matches(device, provider));
  if (own.length === 0) {
    const seen = all.map((device) => `${device.provider} (${device.hardware})`).join(", ");
    throw new ProviderError(
      provider.name,
      `it offers no ${provider.device ?? "device"} on this machine; got ${seen || "none at all"}.`,
    );
  }
  const pointers = BigUint64Array.from(own, ({ pointer }) => Deno.UnsafePointer.value(pointer));
  native.call(
    "SessionOptionsAppendExecutionProvider_V2",
    options,
    native.environment.pointer,
    pointers,
    pointers.length,
    keys.pointers,
    values.pointers,
    keys.length,
  );
}

function matches(device: EpDevice, { name, device: wanted }: Provider): boolean {
  return device.provider === name && (wanted === undefined || device.hardware === wanted);
}

function register(native: Native, name: string, library: string): void {
  const known = registered.get(native) ?? new Set();
  if (known.has(library)) return;
  native.call(
    "RegisterExecutionProviderLibrary",
    native.environment.pointer,
    cstring(name),
    cpath(library),
  );
  registered.set(native, known.add(library));
}

/** The system's loader finds a dependency that is open already, whatever folder it came from. */
function preload(provider: Provider): void {
  for (const path of provider.preload) {
    if (preloaded.has(path)) continue;
    try {
      Deno.dlopen(path, {});
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new ProviderError(provider.name, `its dependency ${path} did not load: ${reason}.`, {
        cause,
      });
    }
    preloaded.add(path);
  }
}
