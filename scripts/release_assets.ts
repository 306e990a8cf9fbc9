/**
 * Writes `pipeline/assets_manifest.json`: what every asset must be, for programs that fetch them. To be run
 * whenever an asset changes:
 *
 *     deno run -A scripts/release_assets.ts
 *
 * @module
 */

import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { type FileRecord, sha256Of } from "../ffi/library_files.ts";

const ASSETS = fileURLToPath(new URL("../assets/", import.meta.url));
const MANIFEST = fileURLToPath(new URL("../pipeline/assets_manifest.json", import.meta.url));

/** The folders whose files programs read. */
const FOLDERS = ["clip", "digits"];

/** Length and hash of every asset, by path below `assets/`, in order. */
export function assetRecords(): Record<string, FileRecord> {
  const paths = FOLDERS.flatMap((folder) => [...filesBelow(join(ASSETS, folder))]).sort();
  return Object.fromEntries(paths.map((path) => {
    const name = relative(ASSETS, path).replaceAll("\\", "/");
    return [name, { bytes: Deno.statSync(path).size, sha256: sha256Of(path) }];
  }));
}

function* filesBelow(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) yield* filesBelow(join(folder, name));
    else if (!name.endsWith(".md")) yield join(folder, name);
  }
}

if (import.meta.main) {
  const text = JSON.stringify(assetRecords(), null, 2) + "\n";
  await Deno.writeTextFile(MANIFEST, text);
}
