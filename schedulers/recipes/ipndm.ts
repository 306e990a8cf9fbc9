import type { Level } from "../level.ts";
import { adamsBashforth } from "../solvers/adams_bashforth.ts";
import { asIs, type Recipe, refuseGiven } from "./recipe.ts";

/**
 * IPNDMScheduler: for networks trained on an angle between picture and noise from 0 to 1, with a
 * schedule of its own. (What ComfyUI calls "ipndm" is the same solver in sigma space.)
 */
export const ipndmRecipe: Recipe = {
  options: { predictionType: "v_prediction" },
  draft({ trainedBetas }, request) {
    refuseGiven("IPNDMScheduler", request, "timesteps", "sigmas");
    const { steps, first } = request;
    const noises = trainedBetas ??
      Array.from({ length: steps + 1 }, (_, i) => Math.sin((1 - i / steps) * Math.PI / 2) ** 2);
    const levels = noises.map((noise): Level => {
      const signal = Math.sqrt(1 - noise ** 2);
      return { timestep: Math.fround(Math.atan2(noise, signal) / Math.PI * 2), signal, noise };
    });
    return {
      basis: "epsilon",
      initialScale: 1,
      inputScale: asIs,
      calls: adamsBashforth(levels, first),
    };
  },
};
