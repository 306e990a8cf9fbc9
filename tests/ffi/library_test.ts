import assert from "node:assert/strict";
import { ORT_API } from "../../ffi/api_table.ts";
import { bindApi } from "../../ffi/api.ts";
import {
  LibraryNotFoundError,
  LibraryVersionError,
  type MissingSymbolError,
} from "../../ffi/errors.ts";
import { libraryPaths, openLibrary } from "../../ffi/library.ts";
import { PACKAGE_VERSION, packageFolder } from "../../ffi/package.ts";
import { openRuntime } from "../../ffi/runtime.ts";
import { ort } from "./fixtures.ts";

Deno.test("openRuntime() opens one runtime for one library", () => {
  const runtime = ort();
  assert.match(runtime.version, /^1\.\d+\.\d+/);
  assert.equal(openRuntime(), runtime);
  assert.equal(openRuntime({ library: runtime.path }), runtime);
  assert.ok(runtime.providers().includes("CPUExecutionProvider"));
  assert.ok(runtime.buildInfo.length > 0);
});

Deno.test("packageFolder() is the npm package's folder in the module graph", () => {
  const folder = packageFolder();
  assert.ok(folder !== undefined && Deno.statSync(`${folder}/bin/napi-v6`).isDirectory);
  assert.equal(PACKAGE_VERSION, "1.30.0");
});

Deno.test("openLibrary() lists every path tried with the loader's message", () => {
  const paths = ["/nowhere/a.so", "/nowhere/b.so"];
  assert.throws(() => openLibrary(paths), (error) => {
    assert.ok(error instanceof LibraryNotFoundError);
    assert.deepEqual(error.tried.map(({ path }) => path), paths);
    for (const { path, reason } of error.tried) assert.ok(reason.includes(path), reason);
    assert.match(error.message, /ORT_DYLIB_PATH/);
    return true;
  });
});

Deno.test("openRuntime() does not look further than the path it was given", () => {
  assert.deepEqual(libraryPaths("/nowhere/a.so"), ["/nowhere/a.so"]);
  assert.throws(() => openRuntime({ library: "/nowhere/a.so" }), LibraryNotFoundError);
});

Deno.test("openLibrary() names the symbol that a wrong library lacks", () => {
  const library = wrongLibrary();
  const expected = { name: "MissingSymbolError", path: library, symbol: "OrtGetApiBase" };
  assert.throws(() => openLibrary([library]), expected);
  assert.throws(
    () => openLibrary([library]),
    (error: MissingSymbolError) => error.cause instanceof Error,
  );
});

/** A library of the system that is surely there and surely not ONNX Runtime. */
function wrongLibrary(): string {
  switch (Deno.build.os) {
    case "windows":
      return "kernel32.dll";
    case "darwin":
      return "libSystem.B.dylib";
    default:
      return "libc.so.6";
  }
}

Deno.test("bindApi() refuses a function that the library is too old for", () => {
  const table = BigUint64Array.from(ORT_API, () => 1n);
  const pointer = Deno.UnsafePointer.of(table);
  assert.ok(pointer !== null);
  const api = bindApi(pointer, "1.22.1", "old.so");
  assert.equal(typeof api.Run, "function");
  const expected = { name: "LibraryVersionError", path: "old.so", found: "1.22.1", needed: "1.23" };
  assert.throws(() => api.CopyTensors, expected);
  assert.throws(() => api.CopyTensors, LibraryVersionError);
});
