/**
 * How noisy a sample is, in the coordinates that its scheduler keeps it in.
 * @module
 */

/**
 * One noise level: a sample there is `signal * clean + noise * z` with z from N(0, I).
 *
 * Three coordinates are in use: variance preserving (signal^2 + noise^2 = 1), variance exploding
 * (signal = 1), and flow matching (signal + noise = 1). Solvers written in terms of both numbers
 * work in all of them.
 */
export interface Level {
  /** Position in the trained noise table, as the network wants it. */
  readonly timestep: number;
  /** Weight of the clean picture. */
  readonly signal: number;
  /** Standard deviation of the noise. */
  readonly noise: number;
}

/** Noise relative to signal, the "sigma" of Karras et al. 2022; infinite where no signal is left. */
export function sigma(level: Level): number {
  return level.noise / level.signal;
}

/** lambda = log(signal / noise), the clock of the DPM-Solver papers; infinite at either end. */
export function logSnr(level: Level): number {
  return Math.log(level.signal / level.noise);
}

/** The level with relative noise `sigma` where samples keep unit variance (DDIM, DPM-Solver). */
export function variancePreserving(timestep: number, sigma: number): Level {
  const total = Math.sqrt(sigma * sigma + 1);
  return { timestep, signal: 1 / total, noise: sigma / total };
}

/** The level with relative noise `sigma` where the clean picture keeps its size (Euler, Heun, LMS). */
export function varianceExploding(timestep: number, sigma: number): Level {
  return { timestep, signal: 1, noise: sigma };
}

/** The level at which picture and noise are mixed linearly (rectified flow). */
export function flowMatching(timestep: number, sigma: number): Level {
  return { timestep, signal: 1 - sigma, noise: sigma };
}

/** The level of a noise table's entry: signal is the square root of the running product of alphas. */
export function fromAlphaCumprod(timestep: number, alphaCumprod: number): Level {
  return { timestep, signal: Math.sqrt(alphaCumprod), noise: Math.sqrt(1 - alphaCumprod) };
}
