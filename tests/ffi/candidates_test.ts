import assert from "node:assert/strict";
import { candidates, type Surroundings } from "../../ffi/candidates.ts";

const UNIX = { env: {}, execPath: "/opt/app/latent", packageFolder: "/npm/onnxruntime-node" };
const WINDOWS = {
  env: {},
  execPath: "C:\\app\\latent.exe",
  packageFolder: "C:\\npm\\onnxruntime-node",
};

const CASES: [Surroundings["os"], Surroundings["arch"], string[]][] = [
  ["linux", "x64", [
    "/opt/app/libonnxruntime.so.1",
    "/opt/app/libonnxruntime.so",
    "/npm/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime.so.1",
    "libonnxruntime.so.1",
    "libonnxruntime.so",
  ]],
  ["linux", "arm64", [
    "/opt/app/libonnxruntime.so.1",
    "/opt/app/libonnxruntime.so",
    "/npm/onnxruntime-node/bin/napi-v6/linux/arm64/libonnxruntime.so.1",
    "libonnxruntime.so.1",
    "libonnxruntime.so",
  ]],
  // The npm package has no library for macOS on x64.
  ["darwin", "x64", [
    "/opt/app/libonnxruntime.1.dylib",
    "/opt/app/libonnxruntime.dylib",
    "libonnxruntime.1.dylib",
    "libonnxruntime.dylib",
  ]],
  ["darwin", "arm64", [
    "/opt/app/libonnxruntime.1.dylib",
    "/opt/app/libonnxruntime.dylib",
    "/npm/onnxruntime-node/bin/napi-v6/darwin/arm64/libonnxruntime.1.dylib",
    "libonnxruntime.1.dylib",
    "libonnxruntime.dylib",
  ]],
  ["windows", "x64", [
    "C:\\app\\onnxruntime.dll",
    "C:\\npm\\onnxruntime-node\\bin\\napi-v6\\win32\\x64\\onnxruntime.dll",
    "onnxruntime.dll",
  ]],
  ["windows", "arm64", [
    "C:\\app\\onnxruntime.dll",
    "C:\\npm\\onnxruntime-node\\bin\\napi-v6\\win32\\arm64\\onnxruntime.dll",
    "onnxruntime.dll",
  ]],
];

for (const [os, arch, expected] of CASES) {
  Deno.test(`candidates() looks in the right places on ${os} ${arch}`, () => {
    const around = os === "windows" ? WINDOWS : UNIX;
    assert.deepEqual(candidates({ os, arch, ...around }), expected);
  });
}

Deno.test("candidates() takes ORT_DYLIB_PATH alone", () => {
  const env = { ORT_DYLIB_PATH: "/my/lib.so" };
  assert.deepEqual(candidates({ os: "linux", arch: "x64", ...UNIX, env }), ["/my/lib.so"]);
});

Deno.test("candidates() prefers the option to ORT_DYLIB_PATH", () => {
  const env = { ORT_DYLIB_PATH: "/my/lib.so" };
  const option = "/other/lib.so";
  assert.deepEqual(candidates({ os: "linux", arch: "x64", ...UNIX, env, option }), [option]);
});

Deno.test("candidates() ignores an empty ORT_DYLIB_PATH", () => {
  const env = { ORT_DYLIB_PATH: "" };
  assert.deepEqual(candidates({ os: "linux", arch: "x64", ...UNIX, env }), CASES[0]?.[2]);
});

Deno.test("candidates() does without the npm package", () => {
  const paths = candidates({ os: "linux", arch: "x64", ...UNIX, packageFolder: undefined });
  assert.ok(paths.length === 4 && !paths.some((path) => path.includes("napi")));
});
