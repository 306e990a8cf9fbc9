import type { SchedulerName } from "./recipes/all.ts";
import { RECIPES } from "./recipes/all.ts";
import type { Settings } from "./settings.ts";

/** A scheduler found by one of its names, and what the name says about its options. */
export interface NamedScheduler {
  readonly name: SchedulerName;
  readonly overrides: Partial<Settings>;
}

/** stub until all names land */
export function resolveSchedulerName(asked: string): NamedScheduler {
  const name = (asked.endsWith("Scheduler") ? asked : `${asked}Scheduler`) as SchedulerName;
  if (!(name in RECIPES)) throw new RangeError(`Cannot choose a scheduler: unknown ${asked}`);
  return { name, overrides: {} };
}
