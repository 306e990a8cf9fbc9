/**
 * One file over HTTP: goes on where an interrupted download ended, and is checked by its hash.
 *
 * @module
 */

import { createHash, type Hash } from "node:crypto";
import { dirname } from "node:path";

/** A file to fetch. */
export interface RemoteFile {
  readonly url: string;
  /** Bytes. */
  readonly size: number;
  /** SHA-256 in hexadecimal, or git's SHA-1 of a blob. */
  readonly hash: string;
}

/** How files are fetched. */
export interface DownloadOptions {
  readonly fetch: typeof fetch;
  readonly token?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told how many bytes of this file are there. */
  readonly onProgress?: (bytes: number) => void;
  /** Waits between tries, milliseconds. Default 1000, doubled each time. */
  readonly retryDelay?: number;
}

/** A file could not be fetched; `url` says from where, `status` what the server said. */
export class DownloadError extends Error {
  /** "DownloadError". */
  override readonly name = "DownloadError";
  /** The server's status, if it answered. */
  readonly status: number | undefined;
  /** `url` is what was asked for. */
  constructor(message: string, readonly url: string, options: ErrorOptions & { status?: number }) {
    super(message, options);
    this.status = options.status;
  }
}

/** Tries of one file before it is given up; those that brought bytes do not count. */
const TRIES = 5;

/**
 * Fetches `file` to `path`: into `path.incomplete` first, renamed once its hash is right.
 *
 * @throws {DownloadError} when the server refuses, the connection keeps breaking, or the hash is
 *   wrong (then the bytes are thrown away).
 */
export async function download(
  file: RemoteFile,
  path: string,
  options: DownloadOptions,
): Promise<void> {
  const incomplete = `${path}.incomplete`;
  await Deno.mkdir(dirname(path), { recursive: true });
  const { retryDelay = 1000 } = options;
  for (let tries = 0;;) {
    const before = await sizeOf(incomplete);
    try {
      if (before < file.size) await append(file, incomplete, before, options);
      break;
    } catch (error) {
      options.signal?.throwIfAborted();
      if (error instanceof DownloadError && !isPassing(error)) throw error;
      if ((error as { code?: string }).code === "ENOSPC") throw diskFull(file, path, error);
      tries = await sizeOf(incomplete) > before ? 0 : tries + 1;
      if (tries >= TRIES) throw brokenOff(file, error);
      await pause(Math.min(retryDelay * 2 ** tries, 30_000), options.signal);
    }
  }
  const hash = await hashOf(incomplete, file);
  if (hash !== file.hash) {
    await Deno.remove(incomplete);
    throw new DownloadError(
      `Cannot use ${file.url}: what came has hash ${hash}, expected ${file.hash}. Try again.`,
      file.url,
      {},
    );
  }
  await Deno.rename(incomplete, path);
}

/** Appends what is missing from byte `from` on. */
async function append(
  file: RemoteFile,
  path: string,
  from: number,
  { fetch, token, signal, onProgress }: DownloadOptions,
): Promise<void> {
  const response = await fetch(file.url, {
    headers: {
      ...(token && { Authorization: `Bearer ${token}` }),
      ...(from > 0 && { Range: `bytes=${from}-` }),
    },
    ...(signal && { signal }),
  });
  if (!response.ok) {
    await response.body?.cancel();
    throw refused(file, response);
  }
  // A server without ranges sends everything again.
  const isWhole = response.status === 200;
  using out = await Deno.open(path, {
    write: true,
    create: true,
    append: !isWhole,
    truncate: isWhole,
  });
  let at = isWhole ? 0 : from;
  for await (const chunk of response.body ?? []) {
    for (let written = 0; written < chunk.length;) {
      written += await out.write(chunk.subarray(written));
    }
    at += chunk.length;
    onProgress?.(at);
  }
  if (at < file.size) throw new Error(`the connection ended after ${at} of ${file.size} bytes`);
}

/** SHA-256 of a file, or git's blob hash where that is what is expected. */
async function hashOf(path: string, { hash: expected, size }: RemoteFile): Promise<string> {
  const hash: Hash = createHash(expected.length === 64 ? "sha256" : "sha1");
  if (expected.length !== 64) hash.update(`blob ${size}\0`);
  using file = await Deno.open(path);
  for await (const chunk of file.readable) hash.update(chunk);
  return hash.digest("hex");
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await Deno.stat(path)).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

/** Too many requests, and the server's own trouble, go by. */
function isPassing({ status }: DownloadError): boolean {
  return status !== undefined && (status === 429 || status === 408 || status >= 500);
}

function refused({ url }: RemoteFile, { status, statusText }: Response): DownloadError {
  const advice = status === 401 || status === 403
    ? "The model is private or gated: accept its terms on its page, and set HF_TOKEN."
    : status === 404
    ? "Check the name and the revision."
    : "Try again later.";
  return new DownloadError(
    `Cannot fetch ${url}: the server answered ${status} ${statusText}. ${advice}`,
    url,
    { status },
  );
}

function diskFull({ url, size }: RemoteFile, path: string, cause: unknown): DownloadError {
  return new DownloadError(
    `Cannot fetch ${url}: the disk of ${dirname(path)} is full; the file takes ${size} bytes. ` +
      "Make room, or let HF_HOME name another place, and run the same command again: it goes on " +
      "where it ended.",
    url,
    { cause },
  );
}

function brokenOff({ url }: RemoteFile, cause: unknown): DownloadError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new DownloadError(
    `Cannot fetch ${url}: ${why}. Run the same command again to go on where it ended.`,
    url,
    { cause, ...(cause instanceof DownloadError && cause.status && { status: cause.status }) },
  );
}

function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}
