/**
 * The Hugging Face cache on disk, in the layout that Python's tools share:
 * `models--OWNER--NAME/{refs/REVISION, blobs/HASH, snapshots/COMMIT/FILE -> ../../blobs/HASH}`.
 *
 * @module
 */

import { homedir } from "node:os";
import { dirname, join, relative } from "node:path";
import { exists } from "./existing.ts";

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Where the cache is: HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME, XDG_CACHE_HOME, the home. */
export function hubCacheFolder(env: Environment): string {
  return env.HF_HUB_CACHE ?? env.HUGGINGFACE_HUB_CACHE ?? join(hubHome(env), "hub");
}

/** The Hub's address, or that of another server: HF_ENDPOINT. */
export function hubEndpoint(env: Environment): string {
  return (env.HF_ENDPOINT ?? "https://huggingface.co").replace(/\/+$/, "");
}

/** Where the tools keep token and cache: HF_HOME, or `huggingface` in the user's cache folder. */
function hubHome(env: Environment): string {
  return env.HF_HOME ?? join(env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "huggingface");
}

/** The access token: HF_TOKEN, HUGGING_FACE_HUB_TOKEN, or the file that `hf auth login` wrote. */
export async function hubToken(env: Environment): Promise<string | undefined> {
  const given = env.HF_TOKEN ?? env.HUGGING_FACE_HUB_TOKEN;
  if (given !== undefined) return given.trim() || undefined;
  try {
    const text = await Deno.readTextFile(env.HF_TOKEN_PATH ?? join(hubHome(env), "token"));
    return text.trim() || undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** One model in the cache. */
export class CachedModel {
  readonly #folder: string;

  /** `name` is `owner/name`. */
  constructor(cache: string, name: string) {
    this.#folder = join(cache, `models--${name.replaceAll("/", "--")}`);
  }

  /** The folder of a commit's files. */
  snapshot(commit: string): string {
    return join(this.#folder, "snapshots", commit);
  }

  /** The place of a file's content; `hash` is its SHA-256, or git's hash for small files. */
  blob(hash: string): string {
    return join(this.#folder, "blobs", hash);
  }

  /** The commit that a branch or tag was at when it was last looked up. */
  async commitOf(revision: string): Promise<string | undefined> {
    try {
      return (await Deno.readTextFile(join(this.#folder, "refs", revision))).trim();
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    return await exists(this.snapshot(revision)) ? revision : undefined;
  }

  /** Notes that `revision` is at `commit`. */
  async remember(revision: string, commit: string): Promise<void> {
    if (revision === commit) return;
    const path = join(this.#folder, "refs", revision);
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.writeTextFile(path, commit);
  }

  /** Whether a commit's file is there, whole. */
  has(commit: string, path: string): Promise<boolean> {
    return exists(join(this.snapshot(commit), path));
  }

  /** Puts a blob under its name in a commit's folder: a link, or a copy where links are refused. */
  async link(commit: string, path: string, hash: string): Promise<void> {
    const place = join(this.snapshot(commit), path), blob = this.blob(hash);
    await Deno.mkdir(dirname(place), { recursive: true });
    await Deno.remove(place).catch(() => {}); // A broken link of an earlier run.
    try {
      await Deno.symlink(relative(dirname(place), blob), place);
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) return;
      await Deno.copyFile(blob, place);
    }
  }
}

/** A model in the cache, as it is listed. */
export interface CachedModelInfo {
  /** `owner/name`. */
  readonly name: string;
  /** Branches and tags by the commit that they were at. */
  readonly revisions: Readonly<Record<string, string>>;
  /** Bytes of all its files. */
  readonly bytes: number;
  /** Bytes of downloads that were broken off. */
  readonly incomplete: number;
  /** Where it is. */
  readonly folder: string;
}

/** The models in a cache, by name; none where there is no cache. */
export async function cachedModels(cache: string): Promise<CachedModelInfo[]> {
  const found: CachedModelInfo[] = [];
  for (const entry of await entriesOf(cache)) {
    const name = /^models--(.+)$/.exec(entry.name)?.[1]?.replaceAll("--", "/");
    if (name === undefined) continue;
    const folder = join(cache, entry.name);
    let bytes = 0, incomplete = 0;
    for (const blob of await entriesOf(join(folder, "blobs"))) {
      const { size } = await Deno.stat(join(folder, "blobs", blob.name));
      if (blob.name.endsWith(".incomplete")) incomplete += size;
      else if (!blob.name.endsWith(".lock")) bytes += size;
    }
    const revisions: Record<string, string> = {};
    for (const ref of await entriesOf(join(folder, "refs"))) {
      if (!ref.isFile) continue;
      revisions[ref.name] = (await Deno.readTextFile(join(folder, "refs", ref.name))).trim();
    }
    found.push({ name, revisions, bytes, incomplete, folder });
  }
  return found.sort((a, b) => a.name.localeCompare(b.name));
}

async function entriesOf(folder: string): Promise<Deno.DirEntry[]> {
  const entries: Deno.DirEntry[] = [];
  try {
    for await (const entry of Deno.readDir(folder)) entries.push(entry);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return entries;
}
