/**
 * Models by their name on the Hugging Face Hub, downloaded once into the cache that all its tools
 * share.
 *
 * @module
 */

import { dirname } from "node:path";
import {
  CachedModel,
  type Environment,
  hubCacheFolder,
  hubEndpoint,
  hubToken,
} from "./hub_cache.ts";
import { download, DownloadError } from "./hub_download.ts";
import { neededFiles, networkFiles, type RepositoryFile } from "./hub_files.ts";

/** How a model is fetched. */
export interface HubOptions {
  /** Weight files of a variant, such as `fp16`. */
  readonly variant?: string | undefined;
  /** Opens no socket: takes what is in the cache. Default: what HF_HUB_OFFLINE says. */
  readonly offline?: boolean | undefined;
  /** Told how many bytes of all that is missing are there. */
  readonly onProgress?: ((bytes: number, total: number) => void) | undefined;
  /** Stops the download; what has come is kept. */
  readonly signal?: AbortSignal | undefined;
  /** Environment variables. Default: the process's. */
  readonly env?: Environment | undefined;
  /** How HTTP is spoken. Default: `fetch`. */
  readonly fetch?: typeof fetch | undefined;
  /** Milliseconds before the second try of a file. Default 1000. */
  readonly retryDelay?: number | undefined;
}

/** A model's name: `owner/name`, maybe with `@revision`. */
const HUB_ID = /^(?<name>[\w][\w.-]*\/[\w][\w.-]*)(?:@(?<revision>[\w./-]+))?$/;

/** Files fetched at the same time. */
const AT_ONCE = 4;

/** Whether `model` could be a name on the Hub. */
export function isHubId(model: string): boolean {
  return HUB_ID.test(model) && !model.includes("..");
}

/**
 * Fetches what a pipeline needs of `model` and gives the folder that holds it.
 *
 * @throws {DownloadError} when something cannot be fetched, in one line that says what to do.
 */
export function fetchModel(model: string, options: HubOptions = {}): Promise<string> {
  return fetchParts(model, options, { main: "model_index.json", choose: neededFiles });
}

/**
 * Fetches a repository that is one network, such as an autoencoder: its configuration and weights.
 *
 * @throws {DownloadError}
 */
export function fetchNetwork(model: string, options: HubOptions = {}): Promise<string> {
  return fetchParts(model, options, { main: "config.json", choose: networkFiles });
}

/** What is taken of a repository. */
interface Wanted {
  /** The file without which it is not what was asked for. */
  readonly main: string;
  readonly choose: typeof neededFiles;
}

async function fetchParts(
  model: string,
  options: HubOptions,
  { main, choose }: Wanted,
): Promise<string> {
  const { name, revision = "main" } = HUB_ID.exec(model)!.groups as {
    name: string;
    revision?: string;
  };
  const env = options.env ?? Deno.env.toObject();
  const cached = new CachedModel(hubCacheFolder(env), name);
  const offline = options.offline ?? /^(1|on|true|yes)$/i.test(env.HF_HUB_OFFLINE ?? "");
  if (offline) return await fromCache(cached, { name, revision, main });
  const repository = await look(name, revision, env, options);
  const { commit } = repository;
  const files = choose(repository.files, options);
  if (!files.some(({ path }) => path === main)) throw isNotThat(name, main, repository);
  const missing = [];
  for (const file of files) if (!await cached.has(commit, file.path)) missing.push(file);
  await fetchAll(missing, cached, repository, options);
  await cached.remember(revision, commit);
  return cached.snapshot(commit);
}

async function fromCache(
  cached: CachedModel,
  { name, revision, main }: Record<"name" | "revision" | "main", string>,
): Promise<string> {
  const commit = await cached.commitOf(revision);
  if (commit !== undefined && await cached.has(commit, main)) {
    return cached.snapshot(commit);
  }
  throw new DownloadError(
    `Cannot open ${name}@${revision}: it is not in the cache, and offline no socket is opened. ` +
      "Fetch it once without --offline.",
    name,
    {},
  );
}

/** A repository at a commit. */
interface Repository {
  readonly name: string;
  readonly commit: string;
  readonly endpoint: string;
  readonly token: string | undefined;
  readonly files: readonly RepositoryFile[];
}

/** Asks the Hub what there is. */
async function look(
  name: string,
  revision: string,
  env: Environment,
  options: HubOptions,
): Promise<Repository> {
  const hub = await import("npm:@huggingface/hub@2.17.5");
  const endpoint = hubEndpoint(env), token = await hubToken(env);
  const common = {
    hubUrl: endpoint,
    fetch: authorized(options.fetch ?? fetch, token, options.signal),
  };
  try {
    const { sha } = await hub.modelInfo({ ...common, name, revision, additionalFields: ["sha"] });
    const files: RepositoryFile[] = [];
    for await (
      const file of hub.listFiles({ ...common, repo: name, revision: sha, recursive: true })
    ) {
      if (file.type !== "file") continue;
      files.push({ path: file.path, size: file.size, hash: file.lfs?.oid ?? file.oid! });
    }
    checkListing(sha, files, endpoint);
    return { name, commit: sha, endpoint, token, files };
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof Deno.errors.NotCapable || error instanceof DownloadError) throw error;
    throw notFound(name, revision, endpoint, error);
  }
}

/** What a server says becomes names of files: none may lead out of the cache. */
function checkListing(commit: string, files: readonly RepositoryFile[], endpoint: string): void {
  const isHash = (text: unknown) => /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(String(text));
  const isInside = (path: string) =>
    !/[\\:\0]/.test(path) && path.split("/").every((part) => !["", ".", ".."].includes(part));
  const wrong = isHash(commit)
    ? files.find(({ path, hash }) => !isInside(path) || !isHash(hash))
    : { path: `commit ${commit}` };
  if (!wrong) return;
  const what = JSON.stringify(wrong.path);
  throw new DownloadError(
    `Cannot use ${endpoint}: it lists ${what}, no name of a file.`,
    endpoint,
    {},
  );
}

/** Fetches files, several at a time. */
async function fetchAll(
  files: readonly RepositoryFile[],
  cached: CachedModel,
  { name, commit, endpoint, token }: Repository,
  options: HubOptions,
): Promise<void> {
  const total = files.reduce((sum, { size }) => sum + size, 0);
  const done = new Map<string, number>();
  const queue = [...files];
  const work = async () => {
    for (let file = queue.shift(); file; file = queue.shift()) {
      const { path, size, hash } = file, blob = cached.blob(hash);
      const url = `${endpoint}/${name}/resolve/${commit}/${path}`;
      using _lock = await lock(`${blob}.lock`);
      const isThere = await Deno.stat(blob).then(() => true, () => false);
      if (!isThere) {
        await download({ url, size, hash }, blob, {
          fetch: options.fetch ?? fetch,
          token,
          signal: options.signal,
          ...(options.retryDelay !== undefined && { retryDelay: options.retryDelay }),
          onProgress(bytes) {
            done.set(path, bytes);
            options.onProgress?.([...done.values()].reduce((a, b) => a + b, 0), total);
          },
        });
      }
      done.set(path, size);
      await cached.link(commit, path, hash);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

/** Waits until no other process fetches the same file. */
async function lock(path: string): Promise<Deno.FsFile> {
  await Deno.mkdir(dirname(path), { recursive: true });
  const file = await Deno.open(path, { write: true, create: true });
  await file.lock(true);
  return file;
}

/** `send` with our token: the package takes none but the Hub's own, and mirrors have others. */
function authorized(
  send: typeof fetch,
  token: string | undefined,
  signal: AbortSignal | undefined,
): typeof fetch {
  return (input, init) => {
    const headers = new Headers(init?.headers);
    if (token !== undefined) headers.set("Authorization", `Bearer ${token}`);
    return send(input, { ...init, headers, ...(signal && { signal }) });
  };
}

function isNotThat(name: string, main: string, { files, endpoint }: Repository): DownloadError {
  const single = files.filter(({ path }) => /^[^/]+\.(safetensors|ckpt|gguf)$/.test(path));
  const hint = single.length > 0
    ? ` It holds single files: download one (${single[0]!.path}) and give its path.`
    : main === "model_index.json" && files.some(({ path }) => path === "config.json")
    ? " It is one network: an autoencoder is fetched where --vae names it."
    : "";
  return new DownloadError(
    `Cannot open ${name}: the repository has no ${main}.${hint}`,
    `${endpoint}/${name}`,
    {},
  );
}

function notFound(
  name: string,
  revision: string,
  endpoint: string,
  cause: unknown,
): DownloadError {
  const status = (cause as { statusCode?: number }).statusCode;
  const why = status === 404
    ? "there is no such model or revision"
    : status === 401 || status === 403
    ? "there is no such model, or it is private or gated: accept its terms and set HF_TOKEN"
    : status === undefined
    ? `the Hub cannot be reached (${cause instanceof Error ? cause.message : cause})`
    : `the Hub answered ${status}`;
  return new DownloadError(`Cannot open ${name}@${revision}: ${why}.`, `${endpoint}/${name}`, {
    cause,
    ...(status !== undefined && { status }),
  });
}
