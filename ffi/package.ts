// The import is what puts the package, and with it the shared library, into the module graph: Deno then
// downloads it with the program's other modules and resolves the specifier to a file. Nothing is loaded.
// A compiled program has a small package in its place, made by scripts/compile.ts.
import manifest from "npm:onnxruntime-node@1.30.0/package.json" with { type: "json" };
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { PackedLibrary } from "./library_unpack.ts";

/** The version of the ONNX Runtime that comes with the npm package. */
export const PACKAGE_VERSION: string = manifest.version;

/** The library inside a compiled program; undefined elsewhere. */
export const PACKED: PackedLibrary | undefined =
  (manifest as { readonly packedLibrary?: PackedLibrary }).packedLibrary;

/** The folder of the npm package onnxruntime-node; undefined when Deno cannot resolve it to a file. */
export function packageFolder(): string | undefined {
  const url = import.meta.resolve("npm:onnxruntime-node@1.30.0/package.json");
  return url.startsWith("file:") ? dirname(fileURLToPath(url)) : undefined;
}
