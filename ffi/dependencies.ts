import { DEPENDENCY_VARIABLES, dependencyFolders } from "./dependency_folders.ts";
import { neededLibraries } from "./elf.ts";
import { folderOf } from "./library_files.ts";
import type { Provider } from "./providers.ts";

/** A library that a provider needs and that is nowhere, or does not load. */
export interface MissingDependency {
  /** Its name, such as `libcudnn.so.9`. */
  readonly name: string;
  /** What the loader said. */
  readonly reason: string;
}

/** What became of a provider's dependencies. */
export interface Dependencies {
  /** Those that are loaded, by name, with their paths; the name itself where the system found it. */
  readonly loaded: ReadonlyMap<string, string>;
  /** Those that are not. */
  readonly missing: readonly MissingDependency[];
  /** The provider's own library, if it is not where it has to be: beside ONNX Runtime's. */
  readonly absent?: string;
  /** The folders that were looked in, beside the system's own. */
  readonly folders: readonly string[];
}

/** The provider's own library, by ONNX Runtime's name of the provider; it lies beside ONNX Runtime. */
const PROVIDER_LIBRARIES: Readonly<Record<string, string>> = {
  CUDAExecutionProvider: "libonnxruntime_providers_cuda.so",
  TensorrtExecutionProvider: "libonnxruntime_providers_tensorrt.so",
  NvTensorRtRtx: "libonnxruntime_providers_nv_tensorrt_rtx.so",
  OpenVINOExecutionProvider: "libonnxruntime_providers_openvino.so",
};

/** Opened by name while the provider works, and so not among what its library says it needs. */
const OPENED_LATER: Readonly<Record<string, readonly string[]>> = {
  "libcudart.so.12": ["libnvrtc.so.12", "libcufft.so.11", "libcudnn.so.9"],
  "libcudart.so.13": ["libnvrtc.so.13", "libcufft.so.12", "libcudnn.so.9"],
};

/** Comes with the kernel's module, from no package. */
const DRIVER = "libcuda.so.1";

/** Those that NVIDIA makes; the others belong to the system. */
const NVIDIA = /^lib(cu|nv)/;

/** Libraries that are loaded; they stay so as long as the program runs. */
const loaded = new Map<string, string>();

/** Whether the search knows what the provider needs. */
export function hasDependencies(provider: Provider): boolean {
  return Deno.build.os === "linux" && Object.hasOwn(PROVIDER_LIBRARIES, provider.name);
}

/**
 * The libraries that a provider needs, in an order in which each finds those that it needs itself:
 * what its own library names, and what that opens later.
 *
 * @param path the provider's own library.
 * @throws {Deno.errors.NotFound} if it is not there.
 */
export function dependencyNames(path: string): string[] {
  const needed = (neededLibraries(path) ?? []).filter((each) => NVIDIA.test(each));
  const later = needed.flatMap((each) => OPENED_LATER[each] ?? []);
  return [...new Set([...needed, ...later])];
}

/**
 * Loads the libraries that a provider needs, so that the system's loader, which goes by names, finds
 * them whatever folder they came from: no LD_LIBRARY_PATH is needed. Nothing fails here; what is
 * missing may prove not to be needed.
 *
 * @param library the path of ONNX Runtime's library.
 */
export function loadDependencies(provider: Provider, library: string): Dependencies {
  const own = `${folderOf(library)}/${PROVIDER_LIBRARIES[provider.name]}`;
  const here = new Map<string, string>(), missing: MissingDependency[] = [];
  if (!isThere(own)) return { loaded: here, missing, folders: [], absent: own };
  const folders = foldersFor(library);
  for (const name of dependencyNames(own)) {
    const known = loaded.get(name);
    if (known !== undefined) {
      here.set(name, known);
      continue;
    }
    const found = folders.map((folder) => `${folder}/${name}`).filter(isThere);
    const outcome = loadFirst([...found, name]);
    if ("path" in outcome) here.set(name, outcome.path);
    else missing.push({ name, reason: outcome.reason });
  }
  for (const [name, path] of here) loaded.set(name, path);
  return { loaded: here, missing, folders };
}

/** Sentences for what is missing; empty where nothing is. */
export function missingText({ missing, folders, absent }: Dependencies): string {
  if (absent !== undefined) {
    const build = absent.endsWith("openvino.so")
      ? "the one of the package onnxruntime-openvino"
      : "a build for GPUs";
    return `This ONNX Runtime came without ${absent}: take ${build}.`;
  }
  const others = missing.filter(({ name }) => name !== DRIVER);
  const damaged = others.filter(({ reason }) => !reason.includes("cannot open shared object file"));
  const lost = others.filter((each) => !damaged.includes(each));
  const places = folders.map((folder) => folder.replace(/\/nvidia\/[^/]+\/lib$/, "/nvidia/*/lib"));
  const looked = [...new Set(places), "the system's folders"].join(", ");
  return [
    ...(others.length < missing.length ? [`There is no NVIDIA driver (${DRIVER}).`] : []),
    ...(lost.length > 0
      ? [
        `Missing: ${lost.map(({ name }) => name).join(", ")}; looked in ${looked}. ` +
        "pip's nvidia packages, conda's, or CUDA's own folder would do.",
      ]
      : []),
    ...damaged.map(({ name, reason }) => `${name} does not load: ${reason}.`),
  ].join(" ");
}

function foldersFor(library: string): string[] {
  const env = Object.fromEntries(
    DEPENDENCY_VARIABLES.map((name) => [name, Deno.env.get(name)]),
  );
  return dependencyFolders({
    libraryFolder: folderOf(library),
    executableFolder: folderOf(Deno.execPath()),
    env,
    list: namesIn,
  });
}

function namesIn(folder: string): string[] {
  try {
    return Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();
  } catch (error) {
    const harmless = [
      Deno.errors.NotFound,
      Deno.errors.PermissionDenied,
      Deno.errors.NotADirectory,
    ];
    if (harmless.some((kind) => error instanceof kind)) return [];
    throw error;
  }
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** Tries the paths in order; the first one's reason is the one to report. */
function loadFirst(paths: readonly string[]): { path: string } | { reason: string } {
  let reason: string | undefined;
  for (const path of paths) {
    try {
      Deno.dlopen(path, {});
      return { path };
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) throw error;
      reason ??= error instanceof Error ? error.message : String(error);
    }
  }
  return { reason: reason ?? "" };
}
