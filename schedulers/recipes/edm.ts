import { linspaceFloat32 } from "../float32.ts";
import { type Level, varianceExploding } from "../level.ts";
import type { Call } from "../plan.ts";
import type { Settings } from "../settings.ts";
import { karrasSigmas } from "../sigmas.ts";
import { dpmMultistep } from "../solvers/dpm_multistep.ts";
import { euler } from "../solvers/euler.ts";
import { dpmMultistepOptions } from "./dpm_solver.ts";
import { clippingOf, type Draft, type Recipe, refuseGiven, type Request } from "./recipe.ts";

const EDM_OPTIONS = {
  sigmaMin: 0.002,
  sigmaMax: 80,
  sigmaData: 0.5,
  sigmaSchedule: "karras",
  rho: 7,
  finalSigmasType: "zero",
} as const satisfies Partial<Settings>;

/** EDMEulerScheduler: for networks preconditioned as in Karras et al. 2022, table 1. */
export const edmEulerRecipe: Recipe = {
  options: EDM_OPTIONS,
  draft: (settings, request) => draft(settings, request, (levels) => euler(levels)),
};

/** EDMDPMSolverMultistepScheduler. */
export const edmDpmMultistepRecipe: Recipe = {
  options: {
    ...EDM_OPTIONS,
    solverOrder: 2,
    thresholding: false,
    dynamicThresholdingRatio: 0.995,
    sampleMaxValue: 1,
    algorithmType: "dpmsolver++",
    solverType: "midpoint",
    lowerOrderFinal: true,
    eulerAtFinal: false,
  },
  draft: (settings, request) =>
    draft(
      settings,
      request,
      (levels) => dpmMultistep(levels, 0, dpmMultistepOptions(settings, levels.length - 1)),
    ),
};

function draft(
  settings: Settings,
  request: Request,
  solver: (levels: readonly Level[]) => Call[],
): Draft {
  refuseGiven("a preconditioned model's scheduler", request, "timesteps");
  const { sigmaData: data, sigmaMax, predictionType } = settings;
  const total = ({ noise }: Level) => Math.sqrt(noise ** 2 + data ** 2);
  const sign = predictionType === "v_prediction" ? -1 : 1;
  return {
    basis: "denoised",
    initialScale: Math.sqrt(sigmaMax! ** 2 + 1),
    inputScale: (level) => 1 / total(level),
    denoised: (level) => ({
      sample: data ** 2 / total(level) ** 2,
      output: sign * level.noise * data / total(level),
    }),
    calls: solver(edmLevels(settings, request).slice(request.first)),
    ...clippingOf(settings),
  };
}

/** The levels of a run; the network is told log(sigma) / 4. */
function edmLevels(settings: Settings, { steps, sigmas: given }: Request): Level[] {
  const { sigmaMin, sigmaMax, rho, sigmaSchedule, finalSigmasType } = settings;
  const [min, max] = [sigmaMin!, sigmaMax!];
  const chosen = given?.slice(0, -1) ??
    (sigmaSchedule === "exponential"
      ? linspaceFloat32(Math.log(min), Math.log(max), steps).map(Math.exp).toReversed()
      : karrasSigmas(steps, { min, max, rho }));
  const sigmas = Array.from(chosen, Math.fround);
  const last = given?.at(-1) ?? (finalSigmasType === "sigma_min" ? sigmas.at(-1)! : 0);
  return [...sigmas, last].map((sigma) =>
    varianceExploding(Math.fround(0.25 * Math.fround(Math.log(sigma))), sigma)
  );
}
