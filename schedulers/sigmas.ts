/**
 * Which noise levels a run visits, as sigmas (noise relative to signal), largest first.
 * @module
 */
import { betaQuantile } from "./beta_distribution.ts";
import { interpolate, linspace } from "./float32.ts";

/**
 * "trained" reads the sigmas off the noise table at the spaced timesteps; the others choose sigmas
 * first and look up their timesteps.
 */
export type SigmaSchedule =
  | "trained"
  | "karras"
  | "exponential"
  | "polyexponential"
  | "beta"
  | "lu"
  | "ays"
  | "ays_sdxl"
  | "kl_optimal"
  | "simple"
  | "sgm_uniform";

/** The ends that a schedule runs between, and its exponent where it has one. */
export interface SigmaRange {
  /** The first sigma. */
  readonly max: number;
  /** The last sigma, above 0. */
  readonly min: number;
  /** Exponent of the schedules that bend by one. */
  readonly rho?: number;
}

/** Evenly spaced in sigma^(1/rho), rho = 7: Karras et al. 2022, equation 5. */
export function karrasSigmas(steps: number, { max, min, rho = 7 }: SigmaRange): Float64Array {
  const top = max ** (1 / rho);
  const bottom = min ** (1 / rho);
  return linspace(0, 1, steps).map((t) => (top + t * (bottom - top)) ** rho);
}

/** Evenly spaced in log sigma. */
export function exponentialSigmas(steps: number, { max, min }: SigmaRange): Float64Array {
  return linspace(Math.log(max), Math.log(min), steps).map(Math.exp);
}

/** Evenly spaced in lambda = -log sigma, from float32 logarithms: Lu et al. 2022, section 4.3. */
export function luSigmas(steps: number, { max, min }: SigmaRange): Float64Array {
  return linspace(Math.fround(Math.log(max)), Math.fround(Math.log(min)), steps).map(Math.exp);
}

/** Evenly spaced in log sigma after bending time by t^rho (rho 1: exponential); k-diffusion's. */
export function polyexponentialSigmas(
  steps: number,
  { max, min, rho = 1 }: SigmaRange,
): Float64Array {
  const span = Math.log(max) - Math.log(min);
  return linspace(1, 0, steps).map((t) => Math.exp(t ** rho * span + Math.log(min)));
}

/** Quantiles of the Beta(0.6, 0.6) distribution, dense at both ends: Lee et al. 2024. */
export function betaSigmas(steps: number, { max, min }: SigmaRange): Float64Array {
  return linspace(0, 1, steps).map((t) => min + betaQuantile(1 - t, 0.6, 0.6) * (max - min));
}

/** Evenly spaced in arctan sigma, the optimum for Gaussian data: Sabour et al. 2024, section 3. */
export function klOptimalSigmas(steps: number, { max, min }: SigmaRange): Float64Array {
  return linspace(0, 1, steps)
    .map((t) => Math.tan(t * Math.atan(min) + (1 - t) * Math.atan(max)));
}

/**
 * Evenly spaced mixes of picture and noise, without the final 0, bent towards noise by `shift`
 * (Esser et al. 2024, equation 23). These sigmas are weights of the mix, not ratios.
 */
export function shiftedFlowSigmas(mixes: Float64Array, shift: number): Float64Array {
  return mixes.map((mix) => shift * mix / (1 + (shift - 1) * mix));
}

/** Stretches a flow run so that its last mix before the final one is `terminal`. */
export function stretchTo(sigmas: Float64Array, terminal: number): Float64Array {
  const scale = (1 - sigmas.at(-1)!) / (1 - terminal);
  return sigmas.map((sigma) => 1 - (1 - sigma) / scale);
}

/** The trained sigmas at evenly spaced indices counted from the noisy end. */
export function simpleSigmas(steps: number, trained: Float32Array): Float64Array {
  const stride = trained.length / steps;
  return Float64Array.from(
    { length: steps },
    (_, i) => trained[trained.length - 1 - Math.floor(i * stride)]!,
  );
}

/** The trained sigmas at `steps` evenly spaced timesteps that leave out the last, as SGM samples. */
export function sgmUniformSigmas(steps: number, trained: Float32Array): Float64Array {
  return linspace(trained.length - 1, 0, steps + 1).slice(0, steps)
    .map((t) => interpolate(t, trained));
}

/** Sigmas found by search for 10 steps: Sabour et al. 2024, "Align Your Steps". */
export const ALIGN_YOUR_STEPS = Object.freeze({
  sd: [14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029],
  sdxl: [14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029],
});

/** Timesteps that go with `ALIGN_YOUR_STEPS`, for a run planned by `timesteps`. */
export const ALIGN_YOUR_STEPS_TIMESTEPS = Object.freeze({
  sd: [999, 850, 736, 645, 545, 455, 343, 233, 124, 24],
  sdxl: [999, 845, 730, 587, 443, 310, 193, 116, 53, 13],
});

/** The Align Your Steps sigmas without the final 0; other step counts interpolate log sigma. */
export function alignYourStepsSigmas(steps: number, model: "sd" | "sdxl"): Float64Array {
  const logs = ALIGN_YOUR_STEPS[model].map(Math.log);
  return linspace(0, logs.length - 1, steps + 1).slice(0, steps)
    .map((t) => Math.exp(interpolate(t, logs)));
}

/**
 * The trained timestep (with its fraction) at which the noise table reaches `sigma`.
 *
 * `logSigmas` is the logarithm of the table, rising. Linear in log sigma between entries, clamped
 * to the table.
 */
export function sigmaToTimestep(sigma: number, logSigmas: Float32Array): number {
  const target = Math.log(Math.max(sigma, 1e-10));
  let low = logSigmas.findLastIndex((value) => value <= target);
  low = Math.min(Math.max(low, 0), logSigmas.length - 2);
  const below = logSigmas[low]!;
  const above = logSigmas[low + 1]!;
  const weight = Math.min(Math.max((below - target) / Math.fround(below - above), 0), 1);
  return (1 - weight) * low + weight * (low + 1);
}
