/** What the lookup of the library depends on; nothing else is read. */
export interface Surroundings {
  /** The operating system. */
  readonly os: "linux" | "darwin" | "windows";
  /** The processor. */
  readonly arch: "x64" | "arm64";
  /** The value of ORT_DYLIB_PATH and nothing else. */
  readonly env: { readonly ORT_DYLIB_PATH?: string | undefined };
  /** The running executable: a compiled program carries the library beside it. */
  readonly execPath: string;
  /** The path that the caller asked for. */
  readonly option?: string | undefined;
  /** The libraries of installed runtimes, the one to prefer first. */
  readonly installed?: readonly string[] | undefined;
  /** Where a compiled program unpacks the library that it carries. */
  readonly unpacked?: string | undefined;
  /** The folder of the npm package onnxruntime-node, if it is in the module graph. */
  readonly packageFolder?: string | undefined;
}

/** The file names of the library, most specific first. */
const FILE_NAMES = {
  linux: ["libonnxruntime.so.1", "libonnxruntime.so"],
  darwin: ["libonnxruntime.1.dylib", "libonnxruntime.dylib"],
  windows: ["onnxruntime.dll"],
} as const;

/** The folders of bin/napi-v6 in onnxruntime-node 1.30.0; it has none for macOS on x64. */
const PACKAGED: Readonly<Record<string, string>> = {
  "linux-x64": "linux/x64/libonnxruntime.so.1",
  "linux-arm64": "linux/arm64/libonnxruntime.so.1",
  "darwin-arm64": "darwin/arm64/libonnxruntime.1.dylib",
  "windows-x64": "win32/x64/onnxruntime.dll",
  "windows-arm64": "win32/arm64/onnxruntime.dll",
};

/**
 * The library paths to try, in order. A path that somebody chose (the option, or ORT_DYLIB_PATH) stands
 * alone: falling back from it to another version would hide the mistake. Otherwise: beside the
 * executable, what `latent runtime install` put into the cache, the library inside a compiled program or
 * else the npm package, then the system's own search by name.
 */
export function candidates(surroundings: Surroundings): string[] {
  const { os, arch, env, execPath, option, installed = [], unpacked, packageFolder } = surroundings;
  const chosen = option ?? env.ORT_DYLIB_PATH;
  if (chosen) return [chosen];

  const separator = os === "windows" ? "\\" : "/";
  const names = FILE_NAMES[os];
  const folder = execPath.slice(0, Math.max(execPath.lastIndexOf("/"), execPath.lastIndexOf("\\")));
  const packaged = PACKAGED[`${os}-${arch}`];
  return [
    ...names.map((name) => folder + separator + name),
    ...installed,
    ...bundled(),
    ...names,
  ];

  function bundled(): string[] {
    if (unpacked !== undefined) return [unpacked];
    if (packageFolder === undefined || packaged === undefined) return [];
    return [[packageFolder, "bin", "napi-v6", ...packaged.split("/")].join(separator)];
  }
}
