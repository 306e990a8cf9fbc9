import { type NamedScheduler, resolveSchedulerName } from "../schedulers/names.ts";

/** A scheduler by a foreign name. */
export interface ForeignScheduler extends NamedScheduler {
  /** The schedule, if it was not understood. */
  readonly ignored?: string;
}

/**
 * Finds a scheduler by another program's names for it and for its sigma schedule.
 *
 * Throws a RangeError for an unknown scheduler; an unknown schedule is returned as `ignored`.
 */
export function schedulerOf(scheduler: string, schedule?: string): ForeignScheduler {
  const name = scheduler.replace(/^k_/, ""); // CompVis and NovelAI mark Karras's samplers so
  const plain = resolveSchedulerName(name);
  if (schedule === undefined || /^(native|trained)$/i.test(schedule)) return plain;
  try {
    return resolveSchedulerName(`${name} ${schedule}`);
  } catch {
    return { ...plain, ignored: schedule };
  }
}
