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
 * executable, the npm package, then the system's own search by name.
 */
export function candidates(surroundings: Surroundings): string[] {
  const { os, arch, env, execPath, option, packageFolder } = surroundings;
  const chosen = option ?? env.ORT_DYLIB_PATH;
  if (chosen) return [chosen];

  const separator = os === "windows" ? "\\" : "/";
  const names = FILE_NAMES[os];
  const folder = execPath.slice(0, Math.max(execPath.lastIndexOf("/"), execPath.lastIndexOf("\\")));
  const packaged = PACKAGED[`${os}-${arch}`];
  return [
    ...names.map((name) => folder + separator + name),
    ...(packageFolder !== undefined && packaged !== undefined
      ? [[packageFolder, "bin", "napi-v6", ...packaged.split("/")].join(separator)]
      : []),
    ...names,
  ];
}
