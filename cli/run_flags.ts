/**
 * The flags that all pictures of a run have in common: what is opened, and what is told.
 *
 * @module
 */

import { BESIDE_NETWORK_FLAGS } from "./beside_flags.ts";
import type { GenerateFlags } from "./generate_flags.ts";
import { PROVIDER_FLAGS } from "./provider_flags.ts";

/**
 * Those that decide the picture. A frame's recipe has them in this order: a new one goes behind, so
 * that frames that were drawn without it are kept.
 */
export const OPENING_FLAGS = [
  ...["model", "config", "variant", "vae", "refiner", "lora", "embedding"] as const,
  ...keysOf(BESIDE_NETWORK_FLAGS),
  ...["precision", "convolution", "lora-mode", "lora-dir", "low-memory", "fast"] as const,
] as const satisfies readonly (keyof GenerateFlags)[];

/** All of them. */
const RUN_FLAGS = [
  ...OPENING_FLAGS,
  ...keysOf(PROVIDER_FLAGS),
  ...["offline", "hash-weights", "json", "quiet", "verbose", "help"] as const,
] as const satisfies readonly (keyof GenerateFlags)[];

/** The name of one. */
export type RunFlag = typeof RUN_FLAGS[number];

/** Whether a flag is for the whole run. */
export function isRunFlag(name: string): name is RunFlag {
  return (RUN_FLAGS as readonly string[]).includes(name);
}

function keysOf<T extends object>(table: T): (keyof T)[] {
  return Object.keys(table) as (keyof T)[];
}
