import type { Call } from "../plan.ts";
import type { Transition } from "./ddim.ts";

/** Standard deviation of the data that the boundary condition assumes. */
const SIGMA_DATA = 0.5;

/**
 * Multistep consistency sampling: Luo et al. 2023 (arXiv:2310.04378), algorithm 3. Each call jumps
 * to a clean picture, which is noised to the next level; the last one is kept as it is.
 *
 * `timestepScaling` widens the boundary condition, which makes the jump the identity at timestep 0.
 */
export function lcm(transitions: readonly Transition[], timestepScaling: number): Call[] {
  return transitions.map(({ from, to }, i) => {
    const scaled = from.timestep * timestepScaling;
    const total = scaled ** 2 + SIGMA_DATA ** 2;
    const skip = SIGMA_DATA ** 2 / total;
    const out = scaled / Math.sqrt(total);
    const last = i === transitions.length - 1;
    const next = last
      ? { start: skip, results: [out] }
      : { start: to.signal * skip, results: [to.signal * out], noise: [to.noise] };
    return { level: from, next, advance: true };
  });
}
