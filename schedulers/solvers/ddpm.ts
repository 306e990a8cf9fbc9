import type { Call } from "../plan.ts";
import { posteriorDeviation, type Transition } from "./ddim.ts";

/** The two ends between which the true variance lies: of the posterior, or of the forward step. */
export type DdpmVariance = "small" | "large";

/** Ancestral sampling: Ho et al. 2020 (arXiv:2006.11239), equations 6 and 7. */
export function ddpm(transitions: readonly Transition[], variance: DdpmVariance): Call[] {
  return transitions.map(({ from, to }) => {
    // Signal and noise of one forward step from `to` to `from`.
    const alpha = (from.signal / to.signal) ** 2;
    const beta = 1 - alpha;
    const deviation = variance === "large"
      ? Math.sqrt(beta)
      : Math.sqrt(Math.max(posteriorDeviation(from, to) ** 2, 1e-20));
    return {
      level: from,
      next: {
        start: Math.sqrt(alpha) * to.noise ** 2 / from.noise ** 2,
        results: [to.signal * beta / from.noise ** 2],
        ...(from.timestep > 0 ? { noise: [deviation] } : {}),
      },
      advance: true,
    };
  });
}
