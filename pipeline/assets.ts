/**
 * The files that come with the program: beside its sources, inside a compiled program, or, where it runs
 * from a web server, fetched once into the cache. `assets_manifest.json` says what each must be.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ownCacheFolder } from "../ffi/library_folders.ts";
import { type FileRecord, isRight, writeWhole } from "../ffi/library_files.ts";
import { AssetError } from "./asset_error.ts";

/** Every asset's length and SHA-256, by its path below `assets/`. */
export type AssetManifest = Readonly<Record<string, FileRecord>>;

const ASSETS = new URL("../assets/", import.meta.url);

/**
 * The folder `name` of the assets, such as `digits`, as a path that files can be read below.
 *
 * @throws {AssetError} where it has to be fetched and cannot be, or is not what it should be.
 */
export async function assetFolder(name: string): Promise<string> {
  if (ASSETS.protocol === "file:") return join(fileURLToPath(ASSETS), name);
  const { default: manifest } = await import("./assets_manifest.json", { with: { type: "json" } });
  return await cachedAssets(name, manifest, {
    source: ASSETS,
    cache: ownCacheFolder(),
    fetch: globalThis.fetch,
  });
}

/** Where assets come from and go to. */
export interface AssetTransfer {
  /** The URL of `assets/`. */
  readonly source: URL;
  /** The program's cache folder. */
  readonly cache: string | undefined;
  readonly fetch: typeof globalThis.fetch;
}

/** Assets of the folder `name` in the cache; what is missing or damaged there is fetched. */
export async function cachedAssets(
  name: string,
  manifest: AssetManifest,
  { source, cache, fetch }: AssetTransfer,
): Promise<string> {
  const files = Object.entries(manifest).filter(([path]) => path.startsWith(`${name}/`));
  if (cache === undefined) {
    throw new AssetError(`${source}${name}`, "there is no cache folder; set LATENT_CACHE");
  }
  // Another version's files get another folder.
  const version = createHash("sha256").update(JSON.stringify(files)).digest("hex").slice(0, 12);
  const folder = join(cache, "assets", version);
  await Promise.all(files.map(async ([path, record]) => {
    const place = join(folder, path);
    if (isRight(place, record)) return;
    const bytes = await fetched(new URL(path, source), record, fetch);
    await Deno.mkdir(dirname(place), { recursive: true, mode: 0o700 });
    writeWhole(place, bytes);
  }));
  return join(folder, name);
}

async function fetched(
  url: URL,
  { bytes: length, sha256 }: FileRecord,
  fetch: typeof globalThis.fetch,
): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    const response = await fetch(url);
    if (!response.ok) {
      await response.body?.cancel();
      throw new Error(`the server answered ${response.status}`);
    }
    bytes = new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    if (cause instanceof Deno.errors.NotCapable) throw cause;
    throw new AssetError(url.href, cause instanceof Error ? cause.message : String(cause), {
      cause,
    });
  }
  if (bytes.length === length && createHash("sha256").update(bytes).digest("hex") === sha256) {
    return bytes;
  }
  throw new AssetError(
    url.href,
    `it is not this version's: got ${bytes.length} bytes, expected ${length} with SHA-256 ${sha256}`,
  );
}
