/**
 * Which of the trained timesteps a run visits, largest first.
 * @module
 */
import { arange, linspace, roundHalfEven } from "./float32.ts";

/** Names as in `scheduler_config.json`; Lin et al. 2023, table 2, compares the three. */
export type Spacing = "linspace" | "leading" | "trailing";

/** What a spacing is computed from. */
export interface SpacingOptions {
  /** How many timesteps the model was trained with. */
  readonly trained: number;
  /** Added to every timestep of "leading" (1 for Stable Diffusion, so that 0 is never visited). */
  readonly offset: number;
  /** Keep the fractions of "linspace", as the samplers that interpolate sigmas do. */
  readonly fractional: boolean;
  /** Space one step more than asked and leave out the last, as the DPM-Solver family does. */
  readonly dropLast: boolean;
}

/**
 * Timesteps of a run, `[steps]`, largest first; whole numbers unless `fractional`.
 *
 * "trailing" may hold one more than `steps` when 1000 / steps is not exact in float64, as NumPy's
 * `arange` does; it is cut off here, because the extra timestep would be -1.
 */
export function spaceTimesteps(
  spacing: Spacing,
  steps: number,
  { trained, offset, fractional, dropLast }: SpacingOptions,
): number[] {
  const count = dropLast ? steps + 1 : steps;
  switch (spacing) {
    case "linspace": {
      const round = fractional ? Math.fround : roundHalfEven;
      return Array.from(linspace(0, trained - 1, count), round).reverse().slice(0, steps);
    }
    case "leading": {
      const ratio = Math.floor(trained / count);
      return Array.from({ length: count }, (_, i) => i * ratio + offset).reverse().slice(0, steps);
    }
    case "trailing":
      return Array.from(arange(trained, 0, -trained / steps), (t) => roundHalfEven(t) - 1)
        .slice(0, steps);
    default:
      throw new RangeError(
        `Cannot space the timesteps: the spacing is unknown; got "${spacing}", ` +
          `expected linspace, leading or trailing. Correct "timestep_spacing".`,
      );
  }
}
