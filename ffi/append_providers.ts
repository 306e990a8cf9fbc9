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
 * @returns one error for each provider that failed and has another after it, which is its fallback.
 * @throws {ProviderError} if a provider fails that has no other after it.
 */
export function appendProviders(
  native: Native,
  options: Deno.PointerObject,
  providers: readonly Provider[],
): ProviderError[] {
  const skipped: ProviderError[] = [];
  providers.forEach((provider, index) => {
    try {
      preload(provider);
      append(native, options, provider);
    } catch (cause) {
      const error = providerError(provider, cause);
      if (index === providers.length - 1) throw error;
      skipped.push(error);
    }
  });
  return skipped;
}

/** Says that a provider failed, and why. */
export function providerError(provider: Provider, cause: unknown): ProviderError {
  if (cause instanceof ProviderError) return cause;
  return new ProviderError(provider.name, reasonOf(cause), { cause });
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
      return appendCuda(native, options, keys, values);
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

function appendCuda(
  native: Native,
  options: Deno.PointerObject,
  keys: CStrings,
  values: CStrings,
): void {
  using cuda = native.own(
    "CUDAProviderOptions",
    native.pointer("CreateCUDAProviderOptions"),
    "ReleaseCUDAProviderOptions",
  );
  native.call(
    "UpdateCUDAProviderOptions",
    cuda.pointer,
    keys.pointers,
    values.pointers,
    keys.length,
  );
  native.call("SessionOptionsAppendExecutionProvider_CUDA_V2", options, cuda.pointer);
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
