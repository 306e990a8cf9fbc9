import type { Settings } from "../settings.ts";
import type { GridRule } from "../sigma_grid.ts";
import { dpmMultistep, type DpmMultistepOptions } from "../solvers/dpm_multistep.ts";
import { blockOrders, dpmSinglestep } from "../solvers/dpm_singlestep.ts";
import { basisOf, type DpmAlgorithm } from "../solvers/exponential_integrator.ts";
import {
  draftOf,
  LOG_SNR_ALSO,
  LOG_SNR_OPTIONS,
  preservingLevels,
  ROUNDED_KARRAS,
  SPACING_OPTIONS,
} from "./log_snr.ts";
import type { Recipe } from "./recipe.ts";

/** The multistep solver cuts those of the cosine noise table too, as diffusers does. */
const WHOLE: GridRule = {
  ...ROUNDED_KARRAS,
  finish: (timestep, settings) =>
    settings.betaSchedule === "squaredcos_cap_v2"
      ? Math.trunc(timestep)
      : ROUNDED_KARRAS.finish(timestep, settings),
};

/** DPMSolverMultistepScheduler: "DPM++ 2M" and "DPM++ 2M SDE", with Karras sigmas where asked. */
export const dpmMultistepRecipe: Recipe = {
  options: {
    ...LOG_SNR_OPTIONS,
    ...SPACING_OPTIONS,
    algorithmType: "dpmsolver++",
    solverType: "midpoint",
    eulerAtFinal: false,
    useLuLambdas: false,
    finalSigmasType: "zero",
    lambdaMinClipped: -Infinity,
    rescaleBetasZeroSnr: false,
  },
  also: LOG_SNR_ALSO,
  draft(settings, request) {
    const lu = settings.useLuLambdas && settings.sigmaSchedule !== "karras";
    const scheduled: Settings = lu ? { ...settings, sigmaSchedule: "lu" } : settings;
    const levels = preservingLevels(scheduled, request, WHOLE);
    const steps = levels.length - 1;
    return {
      ...draftOf(settings, basisOf(dpmAlgorithm(settings))),
      calls: dpmMultistep(levels, request.first, dpmMultistepOptions(settings, steps)),
    };
  },
};

/** DPMSolverSinglestepScheduler: spaces its timesteps linearly whatever the file says. */
export const dpmSinglestepRecipe: Recipe = {
  options: {
    ...LOG_SNR_OPTIONS,
    algorithmType: "dpmsolver++",
    solverType: "midpoint",
    lowerOrderFinal: false,
    finalSigmasType: "zero",
    lambdaMinClipped: -Infinity,
  },
  also: [...LOG_SNR_ALSO, "timestepSpacing", "stepsOffset", "rescaleBetasZeroSnr"],
  draft(settings, request) {
    const algorithm = dpmAlgorithm(settings);
    if (algorithm === "sde-dpmsolver") refuseThirdForm(algorithm, "dpmsolver++, sde-dpmsolver++");
    const levels = preservingLevels(settings, request, ROUNDED_KARRAS);
    const steps = levels.length - 1;
    const endsClean = settings.finalSigmasType === "zero";
    const lower = settings.lowerOrderFinal || endsClean || steps % settings.solverOrder !== 0;
    const orders = blockOrders(steps, settings.solverOrder, lower);
    return {
      ...draftOf(settings, basisOf(algorithm)),
      calls: dpmSinglestep(levels, request.first, {
        algorithm,
        midpoint: settings.solverType !== "heun",
        orders: endsClean ? orders.with(-1, 1) : orders,
      }),
    };
  },
};

/** What the multistep form is told for a run of `steps` steps. */
export function dpmMultistepOptions(settings: Settings, steps: number): DpmMultistepOptions {
  const algorithm = dpmAlgorithm(settings);
  const { solverOrder: order, lowerOrderFinal, eulerAtFinal, finalSigmasType } = settings;
  if (algorithm === "sde-dpmsolver" && order > 2) {
    refuseThirdForm(`${algorithm} of order ${order}`, "order 1 or 2");
  }
  const fewSteps = lowerOrderFinal && steps < 15;
  const lastIsFirst = eulerAtFinal || fewSteps || finalSigmasType === "zero";
  return {
    algorithm,
    order,
    midpoint: settings.solverType !== "heun",
    limit(step) {
      if (step === steps - 1 && lastIsFirst) return 1;
      return step === steps - 2 && fewSteps ? 2 : order;
    },
  };
}

/** The algorithm that the settings name; "deis" is read as dpmsolver++, as diffusers does. */
function dpmAlgorithm({ algorithmType, finalSigmasType }: Settings): DpmAlgorithm {
  switch (algorithmType) {
    case "deis":
      return "dpmsolver++";
    case "dpmsolver++":
    case "sde-dpmsolver++":
      return algorithmType;
    case "dpmsolver":
    case "sde-dpmsolver":
      if (finalSigmasType !== "zero") return algorithmType;
      throw new RangeError(
        `Cannot plan a run: ${algorithmType} remembers the noise, which is unknown where a run ` +
          `ends without any; got final_sigmas_type "zero", expected "sigma_min". ` +
          `Set it, or use ${algorithmType}++.`,
      );
    default:
      throw new RangeError(
        `Cannot plan a run: the algorithm is unknown; got "${algorithmType}", expected ` +
          `dpmsolver++, sde-dpmsolver++, dpmsolver or sde-dpmsolver. Correct "algorithm_type".`,
      );
  }
}

function refuseThirdForm(got: string, expected: string): never {
  throw new RangeError(
    `Cannot plan a run: this form of the solver is not known; got ${got}, expected ${expected}. ` +
      `Correct "algorithm_type" or "solver_order".`,
  );
}
