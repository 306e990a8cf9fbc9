/**
 * npm packages carry more than a program reads: types, source maps, other platforms' native code.
 *
 * @module
 */

import { join } from "node:path";
import type { Target } from "./compile_targets.ts";
import type { NpmPackage } from "./release_sbom.ts";

/** Files that no program loads. */
const UNREAD =
  /(?:\.map|\.d\.[cm]?ts|\.[cm]?ts|\.md|\.markdown|\.flow|\.html|\.umd\.js|\.min\.js)$/i;

/** Native code's names: `x64-linux.node`. */
const NATIVE = /(?:^|\/)[^/]*\.node$/;
const NATIVE_NAMES: Readonly<Record<Target["platform"], string>> = {
  "linux-x64": "x64-linux",
  "linux-arm64": "arm64-linux",
  "macos-arm64": "arm64-darwin",
  "macos-x64": "x64-darwin",
  "windows-x64": "x64-win32",
};

/** What packages have for Node's `require`, browsers and their own command lines, where Deno reads others. */
const UNREAD_PARTS = [
  "@types/",
  "imagescript/(?:wasm|codecs|v2|bench|utils)/",
  "@huggingface/hub/dist/(?:browser/|cli\\.js|index\\.js)",
  "@huggingface/tasks/dist/commonjs/",
  "@bufbuild/protobuf/dist/cjs/",
  "linkedom/(?:worker\\.js|cjs/)",
  "d3(?:-[a-z]+)*/dist/[^/]*[.]js",
  "robust-predicates/umd/",
  "(?:commander|iconv-lite)/",
];
const UNREAD_PART = new RegExp(`/node_modules/(?:${UNREAD_PARTS.join("|")})`);

/** Whether a compiled program does without a file of `node_modules`. */
export function isUnread(path: string, target: Target): boolean {
  const plain = path.replaceAll("\\", "/");
  if (UNREAD.test(plain) || UNREAD_PART.test(plain)) return true;
  return NATIVE.test(plain) && !plain.endsWith(`/${NATIVE_NAMES[target.platform]}.node`);
}

/** Removes what no program reads below `folder`; returns how many bytes are left. */
export async function prunePackages(folder: string, target: Target): Promise<number> {
  let bytes = 0;
  for await (const { name, isDirectory, isSymlink } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isSymlink) continue;
    if (isDirectory) bytes += await prunePackages(path, target);
    else if (isUnread(path, target)) await Deno.remove(path);
    else bytes += (await Deno.lstat(path)).size;
  }
  return bytes;
}

/** The packages of a `node_modules` that Deno made: `.deno/NAME@VERSION/node_modules/NAME`. */
export async function packagesIn(folder: string): Promise<NpmPackage[]> {
  const packages: NpmPackage[] = [];
  for await (const { name: entry, isDirectory } of Deno.readDir(join(folder, ".deno"))) {
    const parts = /^(.+)@([^@]+)$/.exec(entry);
    if (!isDirectory || parts === null) continue;
    const name = parts[1]!.replace("+", "/");
    const path = join(folder, ".deno", entry, "node_modules", name, "package.json");
    const text = await Deno.readTextFile(path).catch(() => undefined); // Pruned as a whole.
    if (text === undefined) continue;
    const { version, license } = JSON.parse(text);
    packages.push({ name, version, license: typeof license === "string" ? license : undefined });
  }
  return packages.sort((a, b) => a.name.localeCompare(b.name));
}
