import { type Level, logSnr } from "../level.ts";
import type { Call, Row } from "../plan.ts";

/** What UniPC can be told. */
export interface UniPcOptions {
  /** Results a step looks at, 1..3. */
  readonly order: number;
  /** Which B(h) scales the corrections: h ("bh1") or e^h - 1 ("bh2"). */
  readonly bh1: boolean;
  /** Whether the clean picture is remembered (UniPC's default) or the noise. */
  readonly predictX0: boolean;
  /** Highest order allowed for a step. */
  readonly limit: (step: number) => number;
  /** Steps whose result is not corrected afterwards. */
  readonly uncorrected: readonly number[];
}

/**
 * UniPC, predictor and corrector: Zhao et al. 2023 (arXiv:2302.04867), algorithms 1 and 2.
 *
 * Each call first corrects the sample it was asked at, from the start of the step before, with the
 * result it just gave; then predicts the next sample from the corrected one.
 */
export function uniPc(levels: readonly Level[], first: number, options: UniPcOptions): Call[] {
  const orderOf = (k: number) => Math.min(options.order, k + 1, options.limit(first + k));
  return levels.slice(first, -1).map((level, k) => {
    const step = first + k;
    const before = (count: number, last: number) =>
      levels.slice(last - count + 1, last + 1).toReversed();
    const next = predict(before(orderOf(k), step), levels[step + 1]!, options);
    if (k === 0 || options.uncorrected.includes(step - 1)) return { level, next, advance: true };
    const correct = correction(before(orderOf(k - 1), step - 1), level, options);
    return { level, correct, next, advance: true };
  });
}

/** Weights of the step to `to` from the newest of `visited` without any correction. */
interface Base {
  readonly start: number;
  /** Weight of the newest result. */
  readonly value: number;
  /** Multiplies the weighted differences of results. */
  readonly scale: number;
  /** Positions of the older results in units of the step, newest first. */
  readonly ratios: readonly number[];
  /** Right sides of the order conditions. */
  readonly moments: readonly number[];
}

function base(visited: readonly Level[], to: Level, { bh1, predictX0 }: UniPcOptions): Base {
  const from = visited[0]!;
  const h = logSnr(to) - logSnr(from);
  const z = predictX0 ? -h : h;
  const phi1 = Math.expm1(z);
  const b = bh1 ? z : phi1;
  const moments: number[] = [];
  let phi = phi1 / z - 1;
  let factorial = 1;
  for (let i = 1; i <= visited.length; i++) {
    moments.push(phi * factorial / b);
    factorial *= i + 1;
    phi = phi / z - 1 / factorial;
  }
  const amount = predictX0 ? to.signal : to.noise;
  return {
    start: predictX0 ? to.noise / from.noise : to.signal / from.signal,
    value: -amount * phi1,
    scale: -amount * b,
    ratios: visited.slice(1).map((level) => (logSnr(level) - logSnr(from)) / h),
    moments,
  };
}

/** UniP: the order conditions of the older results alone; of second order always a half. */
function predict(visited: readonly Level[], to: Level, options: UniPcOptions): Row {
  const { start, value, scale, ratios, moments } = base(visited, to, options);
  if (ratios.length === 0) return { start, results: [value] };
  const rhos = ratios.length === 1 ? [1 / 2] : solveVandermonde(ratios, moments);
  return { start, results: differences(value, scale, ratios, rhos) };
}

/** UniC: the result at `to` itself joins in, at position 1. */
function correction(visited: readonly Level[], to: Level, options: UniPcOptions): Row {
  const { start, value, scale, ratios, moments } = base(visited, to, options);
  const rhos = ratios.length === 0 ? [1 / 2] : solveVandermonde([...ratios, 1], moments);
  const last = scale * rhos.at(-1)!;
  const [newest, ...older] = differences(value, scale, ratios, rhos);
  return { start, results: [last, newest! - last, ...older] };
}

/** `value * m0 + scale * sum(rho_k * (m_k - m0) / r_k)` as weights of m0, m1, ... */
function differences(
  value: number,
  scale: number,
  ratios: readonly number[],
  rhos: readonly number[],
): number[] {
  const weights = ratios.map((ratio, k) => scale * rhos[k]! / ratio);
  return [value - weights.reduce((sum, weight) => sum + weight, 0), ...weights];
}

/** The rho with `sum(rho_k * r_k^i) = moments[i]` for each power i below their number. */
function solveVandermonde(ratios: readonly number[], moments: readonly number[]): number[] {
  const size = ratios.length;
  // Newton's form: divide out one node at a time, then solve the triangle backwards.
  const sums = moments.slice(0, size);
  for (let k = 0; k < size - 1; k++) {
    for (let i = size - 1; i > k; i--) sums[i] = sums[i]! - ratios[k]! * sums[i - 1]!;
  }
  for (let k = size - 2; k >= 0; k--) {
    for (let i = k + 1; i < size; i++) sums[i] = sums[i]! / (ratios[i]! - ratios[i - k - 1]!);
    for (let i = k; i < size - 1; i++) sums[i] = sums[i]! - sums[i + 1]!;
  }
  return sums;
}
