/**
 * `--batch`: which pictures go through the U-Net together.
 *
 * @module
 */

import { gathered, optionsApart, type Settings, type StableDiffusion } from "../mod.ts";
import type { FlagTable } from "./flags.ts";
import type { Reporter } from "./reporter.ts";

/** Flags of commands that make many pictures. */
export const BATCH_FLAGS = {
  batch: {
    kind: "integer",
    range: [1, 1024],
    help: "pictures in one run of the U-Net (1; with small models as many as pay)",
  },
} as const satisfies FlagTable;

/** How long a picture waits for lines that are written one by one, in milliseconds. */
const PATIENCE = 50;

/** What decides the batches of a run. */
export interface BatchRun<T> {
  readonly sd: StableDiffusion;
  /** As the flag says. */
  readonly batch: bigint | undefined;
  /** Absent for items that are no pictures to draw, which go with all others. */
  readonly settingsOf: (item: T) => Settings | undefined;
  /** Whether somebody may write one item after having seen what became of the one before. */
  readonly live?: boolean;
  readonly reporter: Pick<Reporter, "warning">;
}

/** Groups by the flag; says once why pictures are drawn apart that it asks for together. */
export function batchesOf<T>(items: AsyncIterable<T>, run: BatchRun<T>): AsyncGenerator<T[]> {
  const { sd, batch, settingsOf, live = false, reporter } = run;
  let warned = batch === undefined || batch === 1n;
  const joins = (group: readonly T[], item: T) => {
    const one = group.map(settingsOf).find((settings) => settings), other = settingsOf(item);
    const apart = one && other ? optionsApart(one, other) : [];
    if (apart.length > 0 && !warned) {
      warned = true;
      reporter.warning(`pictures that differ in ${apart.join(", ")} are drawn in batches apart`);
    }
    return apart.length === 0;
  };
  if (!warned && !sd.canBatch) {
    warned = true;
    reporter.warning("with int8, pictures would change one another: they are drawn one by one");
  }
  const size = (first: T) => {
    if (!sd.canBatch) return 1;
    const settings = settingsOf(first);
    return batch !== undefined ? Number(batch) : settings ? sd.batchSize(settings) : 1;
  };
  return gathered(items, { size, joins, ...(live && { patience: PATIENCE }) });
}
