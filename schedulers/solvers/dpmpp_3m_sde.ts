import { type Level, sigma } from "../level.ts";
import type { Call, Row } from "../plan.ts";

/**
 * DPM-Solver++(3M) SDE: k-diffusion's `sample_dpmpp_3m_sde`. The exponential integrator of Lu et al.
 * 2022 (arXiv:2211.01095) with time stretched by 1 + eta, for samples in sigma space.
 */
export function dpmpp3mSde(levels: readonly Level[], eta: number): Call[] {
  const sigmas = levels.map(sigma);
  return levels.slice(0, -1).map((level, i) => {
    const [from, to] = [sigmas[i]!, sigmas[i + 1]!];
    if (to === 0) return { level, next: { start: 0, results: [1] }, advance: true };
    const h = Math.log(from / to);
    const steps = [1, 2].slice(0, i).map((k) => Math.log(sigmas[i - k]! / sigmas[i - k + 1]!) / h);
    const noise = to * Math.sqrt(-Math.expm1(-2 * h * eta));
    const next: Row = {
      start: Math.exp(-h * (1 + eta)),
      results: multistepWeights(h * (1 + eta), steps),
      ...(eta > 0 ? { noise: [noise], interval: { from, to } } : {}),
    };
    return { level, next, advance: true };
  });
}

/**
 * Weights of the newest results, newest first, for a step of `h`; `ratios` holds the lengths of up
 * to two steps before it in units of this one, newest first.
 */
function multistepWeights(h: number, ratios: readonly number[]): number[] {
  const value = -Math.expm1(-h);
  const slope = 1 - value / h;
  const bend = slope / h - 1 / 2;
  const [r0, r1] = ratios;
  if (r0 === undefined) return [value];
  if (r1 === undefined) return [value + slope / r0, -slope / r0];
  // First and second divided differences of the three results.
  const second = [1 / r0, -1 / r0 - 1 / r1, 1 / r1].map((weight) => weight / (r0 + r1));
  const first = [1 / r0, -1 / r0, 0].map((weight, k) => weight + r0 * second[k]!);
  return [value, 0, 0].map((weight, k) => weight + slope * first[k]! - bend * second[k]!);
}
