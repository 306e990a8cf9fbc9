import { type Level, logSnr } from "../level.ts";
import type { Basis, Row } from "../plan.ts";

/** Names as in `scheduler_config.json`; "++" remembers the clean picture, the others the noise. */
export type DpmAlgorithm = "dpmsolver" | "dpmsolver++" | "sde-dpmsolver" | "sde-dpmsolver++";

/** What `algorithm` remembers of each call. */
export function basisOf(algorithm: DpmAlgorithm): Basis {
  return algorithm.endsWith("++") ? "denoised" : "epsilon";
}

/**
 * The exact solution from one level to another when the remembered quantity D is a polynomial in
 * lambda: weights of the start, of D, and of its scaled derivatives h D' and h^2 D'' / 2.
 */
export interface ExponentialWeights {
  /** Weight of the sample at the start. */
  readonly start: number;
  /** Weight of D. */
  readonly value: number;
  /** First derivative as the paper's midpoint variants weigh it: half of `value`. */
  readonly slopeMidpoint: number;
  /** First derivative integrated exactly ("heun", and all of third order). */
  readonly slope: number;
  /** Second derivative, as the published third order steps weigh it. */
  readonly curvature: number;
  /** Fresh noise of the SDE forms. */
  readonly noise?: number;
}

/**
 * Lu et al. 2022: DPM-Solver (arXiv:2206.00927) theorem 3.1 and DPM-Solver++ (arXiv:2211.01095)
 * proposition 4.1, with the SDE forms of the latter's section 5. All limits h -> infinity (a run
 * that ends without noise) come out as numbers for the "++" algorithms.
 */
export function exponentialWeights(
  algorithm: DpmAlgorithm,
  from: Level,
  to: Level,
): ExponentialWeights {
  const h = logSnr(to) - logSnr(from);
  const grow = Math.expm1(h);
  const shrink = Math.expm1(-h);
  const shrink2 = Math.expm1(-2 * h);
  switch (algorithm) {
    case "dpmsolver++":
      return {
        start: to.noise / from.noise,
        value: -to.signal * shrink,
        slopeMidpoint: -to.signal * shrink / 2,
        slope: to.signal * (shrink / h + 1),
        curvature: -to.signal * ((shrink + h) / h ** 2 - 1 / 2),
      };
    case "dpmsolver":
      return {
        start: to.signal / from.signal,
        value: -to.noise * grow,
        slopeMidpoint: -to.noise * grow / 2,
        slope: -to.noise * (grow / h - 1),
        curvature: -to.noise * ((grow - h) / h ** 2 - 1 / 2),
      };
    case "sde-dpmsolver++":
      return {
        start: to.noise / from.noise * Math.exp(-h),
        value: -to.signal * shrink2,
        slopeMidpoint: -to.signal * shrink2 / 2,
        slope: to.signal * (shrink2 / (2 * h) + 1),
        curvature: to.signal * ((-shrink2 - 2 * h) / (2 * h) ** 2 - 1 / 2),
        noise: to.noise * Math.sqrt(-shrink2),
      };
    case "sde-dpmsolver":
      return {
        start: to.signal / from.signal,
        value: -2 * to.noise * grow,
        slopeMidpoint: -to.noise * grow,
        slope: -2 * to.noise * (grow / h - 1),
        // No third order form is known; asking for one is refused when the plan is made.
        curvature: NaN,
        noise: to.noise * Math.sqrt(Math.expm1(2 * h)),
      };
  }
}

/** The row of a step with D estimated as the weighted results in `value`, `slope`, `curvature`. */
export function exponentialRow(
  weights: ExponentialWeights,
  terms: readonly { readonly weight: number; readonly of: readonly number[] }[],
): Row {
  const depth = Math.max(...terms.map(({ of }) => of.length));
  const results = Array.from(
    { length: depth },
    (_, k) => terms.reduce((sum, { weight, of }) => sum + weight * (of[k] ?? 0), 0),
  );
  const { start, noise } = weights;
  return { start, results, ...(noise === undefined ? {} : { noise: [noise] }) };
}
