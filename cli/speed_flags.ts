/**
 * The flags that trade a little of the picture for time.
 *
 * @module
 */

import type { GenerateOptions } from "../mod.ts";
import { type FlagTable, type FlagValues, UsageError } from "./flags.ts";

/** Part of the flags of every command that makes pictures. */
export const SPEED_FLAGS = {
  fast: {
    kind: "switch",
    help: "int8 or winograd by the processor, and a step cache by the scheduler: twice the speed " +
      "and more, 28 dB from the full run or closer",
  },
  "cache-interval": {
    kind: "integer",
    range: [1, 1000],
    help: "run the U-Net's deep part at every N-th call only; 5 halves the time (1)",
  },
  "cache-depth": {
    kind: "integer",
    range: [1, 1000],
    help: "skip connections above that part: more are slower and closer (1)",
  },
  "cache-start": {
    kind: "number",
    range: [0, 1],
    help: "part of the run before which all calls are whole (0.2)",
  },
  "token-merging": {
    kind: "number",
    range: [0, 0.75],
    help: "share of the places that self-attention merges: for large pictures, 0.5 (0)",
  },
} as const satisfies FlagTable;

/** Parsed {@linkcode SPEED_FLAGS}. */
type SpeedFlags = FlagValues<typeof SPEED_FLAGS>;

/** The options that the flags ask for. @throws {UsageError} */
export function speedOptions(
  flags: SpeedFlags,
): Pick<GenerateOptions, "fast" | "stepCache" | "tokenMerging"> {
  const stepCache = stepCacheOf(flags), { fast, "token-merging": tokenMerging } = flags;
  return {
    ...(fast && { fast }),
    ...(stepCache && { stepCache }),
    ...(tokenMerging !== undefined && { tokenMerging }),
  };
}

function stepCacheOf(flags: SpeedFlags): GenerateOptions["stepCache"] {
  const { "cache-interval": interval, "cache-depth": depth, "cache-start": start } = flags;
  if (interval === undefined) {
    if (depth === undefined && start === undefined) return undefined;
    throw new UsageError("The step cache needs its interval: add --cache-interval N, such as 5.");
  }
  return {
    interval: Number(interval),
    ...(depth !== undefined && { depth: Number(depth) }),
    ...(start !== undefined && { start }),
  };
}
