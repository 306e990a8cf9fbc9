/**
 * A part of a run, cut by how noisy it is: SDXL's base draws the noisy part, its refiner the rest.
 * As in diffusers, the share is of the timesteps trained on, not of the steps (eDiff-I,
 * arXiv:2211.01324).
 * @module
 */
import type { Call } from "./plan.ts";

/** Which part; absent members leave that end as it is. */
export interface RunPart {
  /** Share of the noise levels after which the run begins, 0..1. */
  readonly denoisingStart?: number;
  /** Share of the noise levels at which it ends, 0..1. */
  readonly denoisingEnd?: number;
}

/** Throws RangeError for shares that leave nothing between them. */
export function checkPart({ denoisingStart: start = 0, denoisingEnd: end = 1 }: RunPart): void {
  if (start >= 0 && start < end && end <= 1) return;
  throw new RangeError(
    `Cannot plan a run: its part is from ${start} to ${end}; expected 0 <= start < end <= 1.`,
  );
}

/** The timestep at which a share of the noise levels is done. */
function cutoff(share: number, trained: number): number {
  return Math.round(trained - share * trained);
}

/**
 * The first step below a share, as a number of steps of `calls`, the whole run. A step that the share
 * cuts in two is done whole. `byCalls`: the scheduler counts its calls as steps.
 */
export function firstStepAfter(
  share: number,
  calls: readonly Call[],
  { trained, byCalls }: { readonly trained: number; readonly byCalls: boolean },
): number {
  const limit = cutoff(share, trained);
  let first = calls.length - calls.filter(({ level }) => level.timestep < limit).length;
  if (byCalls) return first;
  while (first > 0 && !calls[first - 1]!.advance) first--;
  return calls.slice(0, first).filter(({ advance }) => advance).length;
}

/** The calls of a run that are above a share, or at it. */
export function callsUntil<C extends Call>(
  share: number,
  calls: readonly C[],
  trained: number,
): C[] {
  const limit = cutoff(share, trained);
  return calls.slice(0, calls.filter(({ level }) => level.timestep >= limit).length);
}
