/**
 * Ctrl-C and a polite kill stop the run within a step.
 *
 * @module
 */

import { Interrupted } from "./failure.ts";

/**
 * Runs `work` with a signal that aborts on SIGINT or SIGTERM. A second SIGINT ends the process at
 * once, for when something does not listen.
 */
export async function withInterrupt<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) Deno.exit(130);
    controller.abort(new Interrupted());
  };
  // Windows knows SIGINT and SIGBREAK only.
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
  for (const signal of signals) Deno.addSignalListener(signal, stop);
  try {
    return await work(controller.signal);
  } finally {
    for (const signal of signals) Deno.removeSignalListener(signal, stop);
  }
}
