import type { Settings } from "../settings.ts";
import { lcm } from "../solvers/lcm.ts";
import { tcd } from "../solvers/tcd.ts";
import {
  asIs,
  CLIPPING_OPTIONS,
  clippingOf,
  type Recipe,
  refuseGiven,
  type Request,
} from "./recipe.ts";
import { trainedLevels } from "./trained_timesteps.ts";

/** Options of the samplers for distilled models. */
const CONSISTENCY_OPTIONS = {
  betaStart: 0.00085,
  betaEnd: 0.012,
  betaSchedule: "scaled_linear",
  originalInferenceSteps: 50,
  setAlphaToOne: true,
  rescaleBetasZeroSnr: false,
} as const satisfies Partial<Settings>;

/** LCMScheduler: latent consistency models and LCM LoRAs, 1 to 8 steps. */
export const lcmRecipe: Recipe = {
  options: { ...CONSISTENCY_OPTIONS, ...CLIPPING_OPTIONS, timestepScaling: 10 },
  draft(settings, request) {
    const level = trainedLevels(settings);
    const timesteps = distilledTimesteps(settings, request);
    const transitions = timesteps.map((timestep, i) => ({
      from: level(timestep),
      to: level(timesteps[i + 1] ?? timestep),
    }));
    return {
      basis: "denoised",
      initialScale: 1,
      inputScale: asIs,
      calls: lcm(transitions.slice(request.first), settings.timestepScaling),
      ...clippingOf(settings),
    };
  },
};

/** TCDScheduler: trajectory consistency models; `eta` is the paper's gamma. */
export const tcdRecipe: Recipe = {
  options: { ...CONSISTENCY_OPTIONS, eta: 0 },
  draft(settings, request) {
    const level = trainedLevels(settings);
    const timesteps = distilledTimesteps(settings, request);
    const steps = timesteps.map((timestep, i) => {
      const to = timesteps[i + 1] ?? 0;
      // The product runs in float32 there, which decides some whole numbers.
      const down = Math.floor(Math.fround(Math.fround(1 - settings.eta) * to));
      return { from: level(timestep), down: level(down), to: level(to) };
    });
    return {
      basis: "denoised",
      initialScale: 1,
      inputScale: asIs,
      calls: tcd(steps.slice(request.first), settings.eta),
    };
  },
};

/** Evenly chosen among the timesteps that the model was distilled at (every 20th, from 999). */
function distilledTimesteps(settings: Settings, request: Request): readonly number[] {
  refuseGiven("a scheduler of distilled timesteps", request, "sigmas");
  if (request.timesteps) return request.timesteps;
  const { numTrainTimesteps, originalInferenceSteps: count } = settings;
  if (request.steps > count) {
    throw new RangeError(
      `Cannot plan a run: the model was distilled at ${count} timesteps; got ${request.steps} ` +
        `steps, expected at most ${count}. Take fewer: 1 to 8 are usual.`,
    );
  }
  const stride = Math.floor(numTrainTimesteps / count);
  return Array.from({ length: request.steps }, (_, i) => {
    const skipped = Math.floor(i * (count / request.steps));
    return (count - skipped) * stride - 1;
  });
}
