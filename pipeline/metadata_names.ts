import { type NamedScheduler, resolveSchedulerName } from "../schedulers/names.ts";
import { schedulerFromConfig } from "../schedulers/scheduler.ts";
import type { Metadata } from "./metadata.ts";

/** A scheduler by a foreign name. */
export interface ForeignScheduler extends NamedScheduler {
  /** What was said of it, and this program's scheduler cannot have. */
  readonly ignored: readonly string[];
}

/**
 * Finds a scheduler by another program's names for it and for its sigma schedule.
 *
 * Throws a RangeError for an unknown scheduler; what else is not known, or does not go with it, is
 * told in `ignored`.
 */
export function schedulerOf(
  scheduler: string,
  { source, sigmaSchedule, eta }: Pick<Metadata, "source" | "sigmaSchedule" | "eta">,
): ForeignScheduler {
  const asked = scheduler.replace(/^k_/, ""); // CompVis and NovelAI mark Karras's samplers so
  const plain = resolveSchedulerName(asked);
  const ignored: string[] = [];
  let { overrides } = plain;
  if (sigmaSchedule !== undefined && !/^(native|trained)$/i.test(sigmaSchedule)) {
    const scheduled = scheduleOf(asked, sigmaSchedule);
    if (scheduled) overrides = { ...overrides, ...scheduled.overrides };
    else ignored.push(`the schedule "${sigmaSchedule}"`);
  }
  const saysEta = source !== "stable-diffusion.cpp" || /^(DDIM|TCD)/.test(plain.name);
  if (eta !== undefined && saysEta) { // stable-diffusion.cpp writes it for every other one, too
    const withEta = { ...overrides, eta };
    if (isPossible(plain.name, withEta)) overrides = withEta;
    else ignored.push(`eta ${eta}`);
  }
  return { name: plain.name, overrides, ignored };
}

function scheduleOf(scheduler: string, schedule: string): NamedScheduler | undefined {
  try {
    const named = /^(uniform|normal|discrete)$/i.test(schedule)
      ? { ...resolveSchedulerName(scheduler), overrides: { sigmaSchedule: "trained" } as const }
      : resolveSchedulerName(`${scheduler} ${schedule}`);
    return isPossible(named.name, named.overrides) ? named : undefined;
  } catch {
    return undefined; // a schedule of a program's own; the caller says so
  }
}

function isPossible(scheduler: string, overrides: NamedScheduler["overrides"]): boolean {
  try {
    schedulerFromConfig({}, { ...overrides, scheduler });
    return true;
  } catch {
    return false; // the scheduler has no such option; the caller says so
  }
}
