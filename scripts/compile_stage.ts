/**
 * The folder that a binary is compiled from: the program's own sources, its assets, and in the place of
 * the npm package onnxruntime-node, which has five platforms' libraries, a package with one.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";
import type { PackedLibrary } from "../ffi/library_unpack.ts";
import { packagesIn, prunePackages } from "./compile_prune.ts";
import type { NpmPackage } from "./release_sbom.ts";
import type { Target } from "./compile_targets.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** What the program consists of; a folder that is not there yet is left out. */
const SOURCES = [
  ...["cli.ts", "mod.ts", "ffi", "graph", "weights", "schedulers", "models", "pipeline"],
  ...["training", "explain", "cli"],
];

/** The parts of a binary beside Deno's runtime. */
export type Part = "library" | "model" | "vocabulary" | "sources" | "npm";

/** What was staged, for the size table. */
export interface Stage {
  /** The folder. */
  readonly folder: string;
  /** Bytes by part. */
  readonly sizes: Readonly<Record<Part, number>>;
  /** The library's version. */
  readonly version: string;
  /** The npm packages inside. */
  readonly packages: readonly NpmPackage[];
}

/** Fills `folder` for a target; `deno` is the one to compile with. */
export async function stage(target: Target, folder: string, deno: string): Promise<Stage> {
  await Deno.mkdir(folder, { recursive: true });
  let sources = 0;
  for (const name of SOURCES) {
    sources += await copy(
      join(ROOT, name),
      join(folder, name),
      (path) => /\.(?:ts|json)$/.test(path),
    );
  }
  const everything = () => true;
  const model = await copy(join(ROOT, "assets/digits"), join(folder, "assets/digits"), everything);
  const vocabulary = await copy(join(ROOT, "assets/clip"), join(folder, "assets/clip"), everything);
  const { version, packedBytes } = await packLibrary(target, join(folder, "onnxruntime"));
  await writeConfig(folder);
  const npm = await installPackages(deno, folder, target);
  const packages = await packagesIn(join(folder, "node_modules"));
  return {
    folder,
    version,
    packages,
    sizes: { library: packedBytes, model, vocabulary, sources, npm },
  };
}

/** Copies a file or a folder; returns how many bytes. */
async function copy(from: string, to: string, take: (path: string) => boolean): Promise<number> {
  let info: Deno.FileInfo;
  try {
    info = await Deno.stat(from);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
  if (!info.isDirectory) {
    if (!take(from)) return 0;
    await Deno.mkdir(dirname(to), { recursive: true });
    await Deno.copyFile(from, to);
    return info.size;
  }
  let bytes = 0;
  for await (const { name } of Deno.readDir(from)) {
    bytes += await copy(join(from, name), join(to, name), take);
  }
  return bytes;
}

/** A seventh smaller than gzip in the same time; the last percents would take minutes. */
const COMPRESSION = { [constants.BROTLI_PARAM_QUALITY]: 5, [constants.BROTLI_PARAM_LGWIN]: 24 };

/** The package that stands in for onnxruntime-node: package.json and the compressed library. */
async function packLibrary(target: Target, folder: string) {
  const library = await Deno.readFile(join(await npmFolder(target.npm), target.library));
  const packed = brotliCompressSync(library, { params: COMPRESSION });
  const version = target.npm.split("@")[1]!;
  const packedLibrary: PackedLibrary = {
    version,
    platform: target.platform,
    name: target.name,
    packed: `${target.name}.br`,
    bytes: library.length,
    sha256: createHash("sha256").update(library).digest("hex"),
  };
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeFile(join(folder, packedLibrary.packed), packed);
  const manifest = { name: "onnxruntime-node", version, license: "MIT", packedLibrary };
  await Deno.writeTextFile(join(folder, "package.json"), JSON.stringify(manifest, null, 2));
  return { version, packedBytes: packed.length };
}

/** Deno's own copy of an npm package, downloaded if need be. */
async function npmFolder(npm: string): Promise<string> {
  const specifier = `npm:${npm}/package.json`;
  await import(specifier, { with: { type: "json" } });
  return dirname(fileURLToPath(import.meta.resolve(specifier)));
}

/** The program's own deno.json, with the package replaced wherever the sources name it. */
async function writeConfig(folder: string): Promise<void> {
  const { name, version, license, compilerOptions } = JSON.parse(
    await Deno.readTextFile(join(ROOT, "deno.json")),
  );
  const source = await Deno.readTextFile(join(ROOT, "ffi/package.ts"));
  const specifier = /npm:onnxruntime-node@[\d.]+\/package\.json/.exec(source)![0];
  const imports = { [specifier]: "./onnxruntime/package.json" };
  const config = { name, version, license, compilerOptions, imports, nodeModulesDir: "auto" };
  await Deno.writeTextFile(join(folder, "deno.json"), JSON.stringify(config, null, 2));
}

/** Puts the npm packages into the folder, without what no program reads; returns how many bytes. */
async function installPackages(deno: string, folder: string, target: Target): Promise<number> {
  const { code, stderr } = await new Deno.Command(deno, {
    args: ["install", "--quiet", "--no-lock", "--entrypoint", "cli.ts"],
    cwd: folder,
    stdout: "null",
    stderr: "piped",
  }).output();
  if (code !== 0) {
    throw new Error(`Cannot install npm packages: ${new TextDecoder().decode(stderr).trim()}`);
  }
  return await prunePackages(join(folder, "node_modules"), target);
}
