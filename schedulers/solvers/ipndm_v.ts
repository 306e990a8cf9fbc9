import { type Level, sigma } from "../level.ts";
import type { Call } from "../plan.ts";

/**
 * "ipndm_v": Adams-Bashforth with step lengths, Zhang & Chen 2022 (arXiv:2204.13902), appendix, in
 * sigma space and in the arithmetic that is published and in use. Its third order is exact for even
 * steps only and its fourth for none (LMS has the exact integrals).
 */
export function ipndmV(levels: readonly Level[], first: number): Call[] {
  const sigmas = levels.slice(first).map(sigma);
  return levels.slice(first, -1).map((level, i) => {
    const move = sigmas[i + 1]! - sigmas[i]!;
    const known = sigmas[i + 1] === 0 ? 1 : Math.min(i + 1, 4);
    const lengths = Array.from({ length: known }, (_, k) => sigmas[i + 1 - k]! - sigmas[i - k]!);
    const results = unevenWeights(lengths).map((weight) => move * weight);
    return { level, next: { start: 1, results }, advance: true };
  });
}

/** Weights of up to four directions, newest first, given this step's length and those before it. */
function unevenWeights([h, h1, h2, h3]: readonly number[]): number[] {
  const step = h!;
  if (h1 === undefined) return [1];
  const a = step / h1 / 2;
  if (h2 === undefined) return [1 + a, -a];
  const b = (1 - step ** 2 / (3 * h1 * (h1 + h2))) / 2;
  const p = h1 / h2;
  const third = [1 + a + b, -a - (1 + p) * b, p * b];
  if (h3 === undefined) return third;
  const [s1, s2] = [step + h1, step + h1 + h2];
  const c = ((1 - step / (3 * s1)) / 2 + (1 - step / (2 * s1)) * step / (6 * s2)) *
    (step * s1 * s2) / (h1 * (h1 + h2) * (h1 + h2 + h3));
  const q = h1 * (h1 + h2) / (h2 * (h2 + h3));
  return [
    third[0]! + c,
    third[1]! - (1 + p + q) * c,
    third[2]! + (p + q * (1 + h2 / h3)) * c,
    -c * q * p,
  ];
}
