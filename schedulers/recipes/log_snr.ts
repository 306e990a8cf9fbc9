import { flowMatching, type Level, variancePreserving } from "../level.ts";
import { linspace, roundHalfEven } from "../float32.ts";
import { noiseTable } from "../noise_table.ts";
import type { Settings } from "../settings.ts";
import { finalSigma, type GridRule, sigmaGrid } from "../sigma_grid.ts";
import { shiftedFlowSigmas } from "../sigmas.ts";
import { dpmMultistep } from "../solvers/dpm_multistep.ts";
import { basisOf, type DpmAlgorithm } from "../solvers/exponential_integrator.ts";
import { clippingOf, type Recipe, type Request } from "./recipe.ts";

/** Options that the solvers in log signal-to-noise ratio share. */
const LOG_SNR_OPTIONS = {
  thresholding: false,
  dynamicThresholdingRatio: 0.995,
  sampleMaxValue: 1,
  timestepSpacing: "linspace",
  stepsOffset: 0,
  solverOrder: 2,
  lowerOrderFinal: true,
  sigmaSchedule: "trained",
  useFlowSigmas: false,
  flowShift: 1,
} as const satisfies Partial<Settings>;

/**
 * Whole timesteps for scheduled sigmas: rounded for Karras's (but, as in diffusers, cut with the
 * cosine noise table), cut for the exponential and beta ones.
 */
const WHOLE: GridRule = {
  fractional: false,
  range: "table",
  finish: (timestep, { sigmaSchedule, betaSchedule }) =>
    sigmaSchedule === "exponential" || sigmaSchedule === "beta" ||
      betaSchedule === "squaredcos_cap_v2"
      ? Math.trunc(timestep)
      : roundHalfEven(timestep),
  final: finalSigma,
};

/** DPMSolverMultistepScheduler: "DPM++ 2M" and "DPM++ 2M SDE", with Karras sigmas where asked. */
export const dpmMultistepRecipe: Recipe = {
  options: {
    ...LOG_SNR_OPTIONS,
    algorithmType: "dpmsolver++",
    solverType: "midpoint",
    eulerAtFinal: false,
    finalSigmasType: "zero",
    lambdaMinClipped: -Infinity,
    varianceType: null,
    rescaleBetasZeroSnr: false,
  },
  draft(settings, request) {
    const algorithm = dpmAlgorithm(settings);
    const levels = preservingLevels(settings, request, WHOLE);
    const { solverOrder: order, lowerOrderFinal, eulerAtFinal, finalSigmasType } = settings;
    const steps = levels.length - 1;
    const fewSteps = lowerOrderFinal && steps < 15;
    const lastIsFirst = eulerAtFinal || fewSteps || finalSigmasType === "zero";
    const limit = (step: number) =>
      step === steps - 1 && lastIsFirst ? 1 : step === steps - 2 && fewSteps ? 2 : order;
    if (algorithm === "sde-dpmsolver" && order > 2) {
      throw new RangeError(
        `Cannot plan a run: sde-dpmsolver has no third order form; got solver_order ${order}, ` +
          `expected 1 or 2. Use sde-dpmsolver++.`,
      );
    }
    return {
      basis: basisOf(algorithm),
      initialScale: 1,
      calls: dpmMultistep(levels, request.first, {
        algorithm,
        order,
        midpoint: settings.solverType !== "heun",
        limit,
      }),
      ...clippingOf(settings),
    };
  },
};

/** The algorithm that the settings name; "deis" is read as dpmsolver++, as diffusers does. */
export function dpmAlgorithm({ algorithmType, finalSigmasType }: Settings): DpmAlgorithm {
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

/** The levels of a run, one more than it has steps, where samples keep unit variance. */
function preservingLevels(settings: Settings, request: Request, rule: GridRule): Level[] {
  if (settings.useFlowSigmas) return flowLevels(settings, request);
  const { timesteps, sigmas } = sigmaGrid(settings, request, noiseTable(settings, true), rule);
  return sigmas.map((sigma, i) => variancePreserving(timesteps[i] ?? -1, sigma));
}

/** The levels of a run of a flow model ("use_flow_sigmas"): picture and noise mixed linearly. */
function flowLevels(
  { numTrainTimesteps: trained, flowShift }: Settings,
  request: Request,
): Level[] {
  const mixes = linspace(1, 1 / trained, request.steps + 1).map((alpha) => 1 - alpha).reverse();
  const sigmas = shiftedFlowSigmas(mixes, flowShift);
  return Array.from(
    sigmas.with(-1, 0),
    (sigma) => flowMatching(Math.trunc(sigma * trained), Math.fround(sigma)),
  );
}
