/**
 * Failures as the shell sees them: one line of text and an exit code.
 *
 * @module
 */

import { UsageError } from "./flags.ts";

/** The reason that an interrupted run is aborted with. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  constructor() {
    super("interrupted");
  }
}

/** As a shell tells of a program that SIGPIPE ended: whoever read the results has gone. */
export const READER_GONE = 141;

/** 130 interrupted, 141 the reader has gone, 2 wrong usage, 1 anything else. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof Interrupted) return 130;
  if (error instanceof Deno.errors.BrokenPipe) return READER_GONE;
  // By its name: importing its class would load the whole library for every --help.
  const isMisuse = error instanceof Error && error.name === "OptionError";
  return error instanceof UsageError || isMisuse ? 2 : 1;
}

/** What went wrong on one line, without control characters; with `stack`, where as well. */
export function lineOf(error: unknown, options: { stack?: boolean } = {}): string {
  const message = error instanceof Error ? error.message || error.name : String(error);
  const line = `latent: ${permissionHint(error) ?? fileFailure(message) ?? message}`.replaceAll(
    /[\x00-\x1f\x7f]+/g,
    " ",
  );
  return options.stack && error instanceof Error && error.stack ? `${line}\n${error.stack}` : line;
}

/** `No such file or directory (os error 2): stat 'x'`, as Deno says it, in our words. */
function fileFailure(message: string): string | undefined {
  const parts = /^(.+) \(os error \d+\): (\w+) '(.+)'$/.exec(message);
  if (!parts) return undefined;
  const [, why, call, path] = parts;
  const verb = /^(open|stat|lstat|readfile|readdir|read|realpath)$/.test(call!) ? "read" : "write";
  return `Cannot ${verb} ${path}: ${why![0]!.toLowerCase()}${why!.slice(1)}.`;
}

/** Deno's permission errors tell what to allow; say it in our words. */
function permissionHint(error: unknown): string | undefined {
  if (!(error instanceof Deno.errors.NotCapable)) return undefined;
  const needed = /--allow-[a-z]+/.exec(error.message)?.[0];
  const what = error.message.split(",")[0];
  return `${what}. ${needed ? `Run with ${needed}, or` : "Run"} with -A to allow everything.`;
}
