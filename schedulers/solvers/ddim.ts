import type { Level } from "../level.ts";
import type { Call } from "../plan.ts";

/** From a timestep to the next one down; diffusers' integer samplers choose both themselves. */
export interface Transition {
  /** Where the network is asked. */
  readonly from: Level;
  /** Where the step ends. */
  readonly to: Level;
}

/**
 * DDIM: Song et al. 2020 (arXiv:2010.02502), equations 12 and 16. `eta` scales the fresh noise.
 *
 * With clipping the noise is still the one that the unclipped estimate implies.
 */
export function ddim(
  transitions: readonly Transition[],
  { eta, clipped }: { readonly eta: number; readonly clipped: boolean },
): Call[] {
  return transitions.map(({ from, to }) => {
    const deviation = eta * posteriorDeviation(from, to);
    // x' = to.signal * clean + direction * z, with z = (x - from.signal * clean) / from.noise.
    const direction = Math.sqrt(to.noise ** 2 - deviation ** 2);
    const start = direction / from.noise;
    const back = -start * from.signal;
    return {
      level: from,
      next: {
        start,
        ...(clipped ? { results: [to.signal], unclipped: back } : { results: [to.signal + back] }),
        ...(eta > 0 ? { noise: [deviation] } : {}),
      },
      advance: true,
    };
  });
}

/** Standard deviation of the next sample given this one and the clean picture (Ho et al. 2020). */
export function posteriorDeviation(from: Level, to: Level): number {
  const ratio = (from.signal / to.signal) ** 2;
  return to.noise / from.noise * Math.sqrt(1 - ratio);
}
