import { pndm } from "../solvers/pndm.ts";
import { asIs, type Recipe, refuseGiven } from "./recipe.ts";
import { strideOf, trainedLevels, wholeTimesteps } from "./trained_timesteps.ts";

/** PNDMScheduler: the sampler that Stable Diffusion 1.x ships with (skip_prk_steps true: PLMS). */
export const pndmRecipe: Recipe = {
  options: {
    skipPrkSteps: false,
    setAlphaToOne: false,
    timestepSpacing: "leading",
    stepsOffset: 0,
  },
  firstIsCall: true,
  draft(settings, request) {
    refuseGiven("PNDM, whose steps are even,", request, "timesteps");
    const rising = wholeTimesteps(settings, request).toReversed();
    const stride = strideOf(settings, request);
    const rungeKutta = settings.skipPrkSteps ? [] : rungeKuttaTimesteps(rising, stride);
    const multistep = settings.skipPrkSteps
      ? [...rising.slice(0, -1), ...rising.slice(-2, -1), ...rising.slice(-1)].toReversed()
      : rising.slice(0, -3).toReversed();
    return {
      basis: "output",
      initialScale: 1,
      inputScale: asIs,
      calls: pndm({
        timesteps: [...rungeKutta, ...multistep].slice(request.first),
        rungeKutta,
        stride,
        prediction: settings.predictionType,
        level: trainedLevels(settings),
      }),
    };
  },
};

/** The calls of three Runge-Kutta steps: both ends of each, and twice its middle. */
function rungeKuttaTimesteps(rising: readonly number[], stride: number): number[] {
  if (rising.length < 4) {
    throw new RangeError(
      `Cannot plan a PNDM run: its Runge-Kutta start takes four timesteps; got ${rising.length}, ` +
        `expected at least 4. Take more steps or set "skip_prk_steps" to true.`,
    );
  }
  const half = Math.floor(stride / 2);
  return rising.slice(-4)
    .flatMap((timestep) => [timestep, timestep + half])
    .slice(0, -1)
    .flatMap((timestep) => [timestep, timestep])
    .slice(1, -1)
    .toReversed();
}
