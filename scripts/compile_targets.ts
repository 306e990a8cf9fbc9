/**
 * The platforms that a binary is made for, and where the library of each comes from.
 *
 * @module
 */

/** One platform. */
export interface Target {
  /** Its name in file names. */
  readonly platform: "linux-x64" | "linux-arm64" | "macos-arm64" | "macos-x64" | "windows-x64";
  /** Deno's name for it. */
  readonly triple: string;
  /** The npm package and version that has ONNX Runtime for it. */
  readonly npm: string;
  /** The library's path in that package. */
  readonly library: string;
  /** The name that the library is unpacked as. */
  readonly name: string;
}

const BIN = "bin/napi-v6", LATEST = "onnxruntime-node@1.30.0";

/** All targets. */
export const TARGETS: readonly Target[] = [
  {
    platform: "linux-x64",
    triple: "x86_64-unknown-linux-gnu",
    npm: LATEST,
    library: `${BIN}/linux/x64/libonnxruntime.so.1`,
    name: "libonnxruntime.so.1",
  },
  {
    platform: "linux-arm64",
    triple: "aarch64-unknown-linux-gnu",
    npm: LATEST,
    library: `${BIN}/linux/arm64/libonnxruntime.so.1`,
    name: "libonnxruntime.so.1",
  },
  {
    platform: "macos-arm64",
    triple: "aarch64-apple-darwin",
    npm: LATEST,
    library: `${BIN}/darwin/arm64/libonnxruntime.1.dylib`,
    name: "libonnxruntime.1.dylib",
  },
  {
    // 1.23 was the last that was built for Intel's Macs.
    platform: "macos-x64",
    triple: "x86_64-apple-darwin",
    npm: "onnxruntime-node@1.23.2",
    library: `${BIN}/darwin/x64/libonnxruntime.1.23.2.dylib`,
    name: "libonnxruntime.1.dylib",
  },
  {
    platform: "windows-x64",
    triple: "x86_64-pc-windows-msvc",
    npm: LATEST,
    library: `${BIN}/win32/x64/onnxruntime.dll`,
    name: "onnxruntime.dll",
  },
];

/** The target of the machine that this runs on. */
export function ownTarget(): Target {
  const target = TARGETS.find(({ triple }) => triple === Deno.build.target);
  if (target !== undefined) return target;
  const known = TARGETS.map(({ platform }) => platform).join(", ");
  throw new Error(`Cannot compile for ${Deno.build.target}; the targets are ${known}.`);
}

/** The target of this name. @throws {Error} that lists the names. */
export function targetOf(platform: string): Target {
  const target = TARGETS.find((one) => one.platform === platform);
  if (target !== undefined) return target;
  const known = TARGETS.map((one) => one.platform).join(", ");
  throw new Error(`Cannot compile for ${JSON.stringify(platform)}; the targets are ${known}.`);
}
