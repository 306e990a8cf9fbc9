import type { Settings } from "../settings.ts";
import { ddpm, type DdpmVariance } from "../solvers/ddpm.ts";
import { asIs, CLIPPING_OPTIONS, clippingOf, type Recipe } from "./recipe.ts";
import { trainedLevels, wholeTimesteps } from "./trained_timesteps.ts";

/** DDPMScheduler: ancestral sampling in the table's own steps, and what models are trained with. */
export const ddpmRecipe: Recipe = {
  options: {
    ...CLIPPING_OPTIONS,
    clipSample: true,
    varianceType: "fixed_small",
    timestepSpacing: "leading",
    stepsOffset: 0,
    rescaleBetasZeroSnr: false,
  },
  draft(settings, request) {
    const level = trainedLevels({ ...settings, setAlphaToOne: true });
    const timesteps = wholeTimesteps(settings, request);
    const transitions = timesteps.map((timestep, i) => ({
      from: level(timestep),
      to: level(timesteps[i + 1] ?? -1),
    }));
    return {
      basis: "denoised",
      initialScale: 1,
      inputScale: asIs,
      calls: ddpm(transitions.slice(request.first), varianceOf(settings)),
      ...clippingOf(settings),
    };
  },
};

function varianceOf({ varianceType }: Settings): DdpmVariance {
  if (varianceType === "fixed_small" || varianceType === "fixed_small_log") return "small";
  if (varianceType === "fixed_large") return "large";
  throw new RangeError(
    `Cannot plan a DDPM run: this variance is not made from the noise table; got ` +
      `"${varianceType}", expected fixed_small, fixed_small_log or fixed_large. ` +
      `Networks that learn it are not supported.`,
  );
}
