/**
 * The scheduler of one picture: by name, as a solver of the user's own, or decided already.
 *
 * @module
 */

import type { Solver } from "../schedulers/recipes/own.ts";
import {
  type Scheduler,
  schedulerFromConfig,
  type SchedulerOverrides,
} from "../schedulers/scheduler.ts";

/**
 * A name (a diffusers class or an alias), a solver, which gets its levels from the model's own
 * configuration, or a whole scheduler, which plans by its own.
 */
export type SchedulerChoice = string | Solver | Scheduler;

/** The options that choose a scheduler. */
interface Chosen {
  readonly scheduler: SchedulerChoice;
  readonly schedulerOptions: SchedulerOverrides;
}

/**
 * The scheduler that the options choose for a model with this scheduler_config.json.
 *
 * @throws {RangeError} for unknown names and options that the scheduler has no use for.
 */
export function chooseScheduler(
  config: Record<string, unknown>,
  { scheduler, schedulerOptions }: Chosen,
): Scheduler {
  if (typeof scheduler === "string" || "calls" in scheduler) {
    return schedulerFromConfig(config, { ...schedulerOptions, scheduler });
  }
  const options = Object.keys(schedulerOptions);
  if (options.length === 0) return scheduler;
  throw new RangeError(
    `Cannot change ${scheduler.name}: a scheduler that is given whole has its options decided; ` +
      `got ${options.join(", ")}. Give them where it is made, or leave them out.`,
  );
}

/** What pictures name it by. */
export function schedulerName(scheduler: SchedulerChoice): string {
  return typeof scheduler === "string" ? scheduler : scheduler.name;
}
