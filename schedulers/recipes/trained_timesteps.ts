import { fromAlphaCumprod, type Level } from "../level.ts";
import { noiseTable } from "../noise_table.ts";
import type { Settings } from "../settings.ts";
import { spaceTimesteps } from "../spacing.ts";
import { refuseGiven, type Request } from "./recipe.ts";

/** Looks up trained timesteps; anything below 0 is where runs end. */
export type TrainedLevels = (timestep: number) => Level;

/**
 * The levels of the noise table as DDIM and its relatives use them: whole timesteps, unit
 * variance, and below timestep 0 either no noise at all or (set_alpha_to_one false) that of
 * timestep 0. Throws RangeError for a timestep beyond the table.
 */
export function trainedLevels(settings: Settings): TrainedLevels {
  const { alphasCumprod } = noiseTable(settings, false);
  const final = settings.setAlphaToOne ? 1 : alphasCumprod[0]!;
  return (timestep) => {
    if (timestep < 0) return fromAlphaCumprod(timestep, final);
    const alpha = alphasCumprod[timestep];
    if (alpha === undefined) {
      throw new RangeError(
        `Cannot plan a run: timestep ${timestep} was not trained; expected whole numbers from 0 ` +
          `to ${alphasCumprod.length - 1}. Use fewer steps or a smaller "steps_offset".`,
      );
    }
    return fromAlphaCumprod(timestep, alpha);
  };
}

/** The whole timesteps of a run, largest first: the ones asked for, or spaced ones. */
export function wholeTimesteps(settings: Settings, request: Request): readonly number[] {
  refuseGiven("a scheduler of whole timesteps", request, "sigmas");
  return request.timesteps ?? spaceTimesteps(settings.timestepSpacing, request.steps, {
    trained: settings.numTrainTimesteps,
    offset: settings.stepsOffset,
    fractional: false,
    dropLast: false,
  });
}

/** Trained timesteps between two steps of an evenly spaced run. */
export function strideOf(settings: Settings, { steps }: Request): number {
  return Math.floor(settings.numTrainTimesteps / steps);
}
