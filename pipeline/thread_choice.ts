/**
 * How many threads an operator has on the processor, and how they wait.
 *
 * @module
 */

import type { SessionOptions } from "../ffi/session_options.ts";
import { type ProcessorLimit, processorLimit } from "./processor_limit.ts";

/** What was chosen; without `threads` it is ONNX Runtime's own choice, a thread a core. */
export interface ThreadChoice {
  /** Threads within an operator. */
  readonly threads?: number;
  /** Whether threads without work watch for it, and so take time that others may need. */
  readonly spinning: boolean;
  /** For people: where the limit is from. */
  readonly why: string;
}

/**
 * A thread for each core that can be used: `asked`, or as the limit says. A share of 1.5 processors
 * has two threads, of which one waits a part of the time. Threads do not spin where time is rationed:
 * they would spend it, and all stand still once it is gone.
 */
export function chooseThreads(
  asked: number | undefined,
  limit: ProcessorLimit | undefined,
): ThreadChoice {
  const { cores = Infinity, allowed = Infinity, quota = Infinity } = limit ?? {};
  const isRationed = quota < Math.min(allowed, asked ?? Infinity);
  if (asked !== undefined) return { threads: asked, spinning: !isRationed, why: "as asked" };
  if (isRationed) {
    const share = Number(quota.toFixed(2));
    const why = `the cgroup gives the time of ${share} of ${allowed} cores`;
    return { threads: Math.ceil(quota), spinning: false, why };
  }
  if (allowed < cores) {
    const why = `only ${allowed} of ${cores} cores may be used`;
    return { threads: allowed, spinning: true, why };
  }
  const why = limit ? "no limit was found" : "limits cannot be seen here";
  return { spinning: true, why };
}

/** The choice as a session takes it. */
export function threadOptions(
  asked: number | undefined,
  limit = processorLimit(),
): Pick<SessionOptions, "intraOpThreads" | "config"> {
  const { threads, spinning } = chooseThreads(asked, limit);
  return {
    ...(threads !== undefined && { intraOpThreads: threads }),
    ...(!spinning && { config: { "session.intra_op.allow_spinning": "0" } }),
  };
}
