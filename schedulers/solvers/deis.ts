import { type Level, sigma } from "../level.ts";
import type { Call } from "../plan.ts";
import { alongNoise } from "./straight.ts";

/**
 * DEIS with the noise's polynomial in log rho, rho = noise / signal: Zhang & Chen 2022
 * (arXiv:2204.13902), "log-rho" variant. `limit(step)` is the highest order allowed for a step.
 */
export function deis(
  levels: readonly Level[],
  first: number,
  { order, limit }: { readonly order: number; readonly limit: (step: number) => number },
): Call[] {
  return levels.slice(first, -1).map((level, k) => {
    const step = first + k;
    const to = levels[step + 1]!;
    const known = Math.min(order, k + 1, limit(step));
    const { keep, move } = alongNoise(level, to);
    const results = known === 1 ? [move] : polynomialWeights(
      levels.slice(step - known + 1, step + 1).toReversed().map(sigma),
      sigma(to),
    ).map((weight) => to.signal * weight);
    return { level, next: { start: keep, results }, advance: true };
  });
}

/** Integrals over rho, from the newest node to `to`, of the Lagrange polynomials in log rho. */
function polynomialWeights(nodes: readonly number[], to: number): number[] {
  const from = nodes[0]!;
  // Written in u = log(rho / from), so that nearby nodes do not cancel: d rho = from e^u du.
  const us = nodes.map((node) => Math.log(node / from));
  const end = Math.log(to / from);
  const grow = Math.expm1(end);
  const moments = [
    grow,
    (grow + 1) * end - grow,
    (grow + 1) * (end * end - 2 * end) + 2 * grow,
  ];
  return us.map((u, j) => {
    const others = us.filter((_, k) => k !== j);
    const [a, b] = others;
    const scale = others.reduce((product, other) => product * (u - other), 1);
    const integral = b === undefined
      ? moments[1]! - a! * moments[0]!
      : moments[2]! - (a! + b) * moments[1]! + a! * b * moments[0]!;
    return from * integral / scale;
  });
}
