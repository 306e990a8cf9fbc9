import { ddim } from "../solvers/ddim.ts";
import { asIs, CLIPPING_OPTIONS, clippingOf, type Recipe } from "./recipe.ts";
import { strideOf, trainedLevels, wholeTimesteps } from "./trained_timesteps.ts";

/**
 * DDIMScheduler. Each step goes one stride of timesteps down from where it is, which is not
 * always the next timestep visited ("linspace", "trailing"); `exactSteps` goes there instead, and
 * given timesteps are followed exactly.
 */
export const ddimRecipe: Recipe = {
  options: {
    ...CLIPPING_OPTIONS,
    clipSample: true,
    eta: 0,
    setAlphaToOne: true,
    stepsOffset: 0,
    timestepSpacing: "leading",
    rescaleBetasZeroSnr: false,
  },
  also: ["exactSteps"],
  draft(settings, request) {
    const exact = settings.exactSteps || request.timesteps !== undefined;
    const level = trainedLevels(settings);
    const timesteps = wholeTimesteps(settings, request);
    const stride = strideOf(settings, request);
    const transitions = timesteps.map((timestep, i) => ({
      from: level(timestep),
      to: level(exact ? timesteps[i + 1] ?? -1 : timestep - stride),
    }));
    const clipping = clippingOf(settings);
    const clipped = clipping.clipping !== undefined;
    return {
      basis: "denoised",
      initialScale: 1,
      inputScale: asIs,
      calls: ddim(transitions.slice(request.first), { eta: settings.eta, clipped }),
      ...clipping,
    };
  },
};
