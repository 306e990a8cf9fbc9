/**
 * One run from its first event to its exit status.
 *
 * @module
 */

import { exitCodeOf, lineOf } from "./failure.ts";
import { withInterrupt } from "./interrupt.ts";
import type { Reporter } from "./reporter.ts";

/** What came of a run. */
export interface Tally {
  /** Pictures written. */
  pictures: number;
  /** Lines of the prompts that failed. */
  failed: number;
}

/**
 * Runs `work`, which counts into the tally that it is given, between a `start` and a `done` event.
 * Returns 0, or 1 where lines failed; passes on what is thrown, after its event.
 */
export async function reportedRun(
  reporter: Reporter,
  start: Parameters<Reporter["start"]>[0],
  work: (signal: AbortSignal, tally: Tally) => Promise<void>,
): Promise<number> {
  const tally: Tally = { pictures: 0, failed: 0 };
  reporter.start(start);
  try {
    await withInterrupt((signal) => work(signal, tally));
  } catch (error) {
    // Whoever has gone hears no events.
    if (error instanceof Deno.errors.BrokenPipe) throw error;
    reporter.error({ message: messageOf(error), kind: kindOf(error) });
    reporter.done({ ...tally, exit: exitCodeOf(error) });
    throw error;
  }
  const exit = tally.failed > 0 ? 1 : 0;
  reporter.done({ ...tally, exit });
  return exit;
}

/** An error's message on one line. */
export function messageOf(error: unknown): string {
  return lineOf(error).replace(/^latent: /, "");
}

/** The name of an error's class. */
export function kindOf(error: unknown): string {
  return error instanceof Error ? error.name : "Error";
}
