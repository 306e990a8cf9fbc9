/**
 * How many pictures are drawn in step where nobody says.
 *
 * @module
 */

/** What decides it. */
export interface BatchLoad {
  /** Bytes of the U-Net's weights. */
  readonly weights: number;
  /** Places of one picture's latents: height times width. */
  readonly places: number;
  /** Whether a processor runs it. */
  readonly onProcessor: boolean;
}

/** Larger networks keep all cores busy with one picture. */
const LARGEST_WEIGHTS = 64 << 20;

/** Places in a run at which a small network keeps the cores busy. */
const PLACES = 2048;

/** Measured with `bench/batch.ts`: what small networks lose between their many short operations. */
export function batchSize({ weights, places, onProcessor }: BatchLoad): number {
  if (!onProcessor || weights > LARGEST_WEIGHTS) return 1;
  return Math.max(1, Math.min(8, Math.floor(PLACES / places)));
}
