/** What the place of the program's own files depends on; nothing else is read. */
export interface FolderSurroundings {
  /** The operating system. */
  readonly os: "linux" | "darwin" | "windows";
  /** LATENT_CACHE, XDG_CACHE_HOME, HOME, LOCALAPPDATA. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The environment variables that name the cache on an operating system. */
export function cacheVariables(os: FolderSurroundings["os"]): readonly string[] {
  if (os === "windows") return ["LATENT_CACHE", "LOCALAPPDATA"];
  return os === "darwin" ? ["LATENT_CACHE", "HOME"] : ["LATENT_CACHE", "XDG_CACHE_HOME", "HOME"];
}

/**
 * The folder of everything that can be made or fetched again: LATENT_CACHE, or `latent` where the
 * system keeps a user's caches. Undefined where the environment names none.
 */
export function cacheFolder({ os, env }: FolderSurroundings): string | undefined {
  if (env.LATENT_CACHE) return env.LATENT_CACHE;
  if (os === "windows") return env.LOCALAPPDATA && `${env.LOCALAPPDATA}\\latent`;
  if (os === "darwin") return env.HOME && `${env.HOME}/Library/Caches/latent`;
  const caches = env.XDG_CACHE_HOME || (env.HOME && `${env.HOME}/.cache`);
  return caches && `${caches}/latent`;
}

/** The cache folder of this process. */
export function ownCacheFolder(): string | undefined {
  const os = ownSystem();
  const env = Object.fromEntries(cacheVariables(os).map((name) => [name, Deno.env.get(name)]));
  return cacheFolder({ os, env });
}

/** The operating system, as libraries are named for it. */
export function ownSystem(): FolderSurroundings["os"] {
  const { os } = Deno.build;
  return os === "windows" || os === "darwin" ? os : "linux";
}

/**
 * A folder in the system's folder of temporary files that only this user can write, for where there
 * is no cache folder that can be written: `latent-UID`.
 *
 * @throws {Error} if somebody else made it.
 */
export function privateFolder(temporary: string): string {
  const uid = Deno.uid();
  const path = `${temporary}/latent-${uid ?? "cache"}`;
  try {
    Deno.mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
  const info = Deno.lstatSync(path);
  const isOwn = uid === null || (info.uid === uid && ((info.mode ?? 0) & 0o077) === 0);
  if (info.isDirectory && isOwn) return path;
  throw new Error(`${path} is not this user's alone`);
}
