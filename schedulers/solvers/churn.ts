import { type Level, sigma } from "../level.ts";

/** Where a step begins: the level that the network is asked at, and the noise added to reach it. */
export interface StepStart {
  /** Where the network is asked. */
  readonly level: Level;
  /** See `Call.churn`. */
  readonly churn?: number;
}

/** How much a stochastic sampler stirs; names as in Karras et al. 2022, table 5. */
export interface Churn {
  /** Added noise of the whole run: each step's sigma grows by this over the number of steps. */
  readonly amount: number;
  /** No noise is added below this sigma. */
  readonly min: number;
  /** Nor above this one. */
  readonly max: number;
  /** Size of the added noise, in units of what keeps the level right. */
  readonly noise: number;
}

/** No step grows by more than this part of its sigma. */
const LARGEST_GROWTH = Math.SQRT2 - 1;

/**
 * The starts of all steps, each raised to a higher sigma by fresh noise: Karras et al. 2022
 * (arXiv:2206.00364), algorithm 2, lines 4 to 6. `find` gives the level of any sigma.
 *
 * A draw is made for each step, as k-diffusion does, even where nothing of it is added.
 */
export function stepStarts(
  levels: readonly Level[],
  { amount, min, max, noise }: Churn,
  find: (sigma: number) => Level,
): StepStart[] {
  const starts = levels.slice(0, -1);
  if (amount === 0) return starts.map((level) => ({ level }));
  const growth = Math.min(amount / starts.length, LARGEST_GROWTH);
  return starts.map((level) => {
    const from = sigma(level);
    if (from < min || from > max) return { level, churn: 0 };
    const raised = from * (1 + growth);
    return { level: find(raised), churn: noise * Math.sqrt(raised ** 2 - from ** 2) };
  });
}
