/**
 * npm packages carry more than a program reads: types, source maps, other platforms' native code.
 *
 * @module
 */

import { join } from "node:path";
import type { Target } from "./compile_targets.ts";

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
