import { type Level, sigma } from "../level.ts";
import type { Call } from "../plan.ts";

/**
 * Linear multistep with the derivative's polynomial integrated over sigma: k-diffusion's
 * `sample_lms`, the sampler of the first Stable Diffusion demo.
 *
 * Weights are those of up to four visited levels even where a run begins later (image to image) and
 * has fewer results: diffusers leaves the missing terms out, and so do we.
 */
export function lms(levels: readonly Level[], first: number): Call[] {
  const sigmas = levels.map(sigma);
  return levels.slice(first, -1).map((level, k) => {
    const step = first + k;
    const to = levels[step + 1]!;
    const nodes = sigmas.slice(Math.max(step - 3, 0), step + 1).toReversed();
    const weights = integrateLagrange(nodes, sigmas[step]!, sigmas[step + 1]!);
    return {
      level,
      next: {
        start: to.signal / level.signal,
        results: weights.slice(0, k + 1).map((weight) => to.signal * weight),
      },
      advance: true,
    };
  });
}

/** Integrals from `from` to `to` of the polynomials that are 1 at one node and 0 at the others. */
export function integrateLagrange(nodes: readonly number[], from: number, to: number): number[] {
  // Two Gauss points are exact up to degree 3, which four nodes need.
  const middle = (from + to) / 2;
  const reach = (to - from) / (2 * Math.sqrt(3));
  return nodes.map((node, j) => {
    const basis = (x: number) =>
      nodes.reduce(
        (product, other, k) => k === j ? product : product * (x - other) / (node - other),
        1,
      );
    return (to - from) / 2 * (basis(middle - reach) + basis(middle + reach));
  });
}
