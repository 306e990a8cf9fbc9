import type { Level } from "../level.ts";

/** A step along a constant direction: `x' = keep * x + move * direction`. */
export interface StraightStep {
  /** Weight of the sample. */
  readonly keep: number;
  /** Weight of the direction. */
  readonly move: number;
}

/** How a step goes from one level to another; the direction is what the solver's basis remembers. */
export type Straight = (from: Level, to: Level) => StraightStep;

/** Along the noise (basis "epsilon"): the probability flow ODE of any diffusion model. */
export const alongNoise: Straight = (from, to) => {
  const keep = to.signal / from.signal;
  return { keep, move: to.noise - keep * from.noise };
};

/** Along the predicted velocity (basis "output"): the ODE of flow models. */
export const alongFlow: Straight = (from, to) => ({ keep: 1, move: to.noise - from.noise });

/** Adams-Bashforth weights for even steps, newest first, by how many directions are known. */
export const ADAMS_BASHFORTH = [
  [],
  [1],
  [3 / 2, -1 / 2],
  [23 / 12, -16 / 12, 5 / 12],
  [55 / 24, -59 / 24, 37 / 24, -9 / 24],
] as const;
