import { type Level, varianceExploding } from "../level.ts";
import { noiseTable } from "../noise_table.ts";
import type { Basis, Call } from "../plan.ts";
import type { Settings } from "../settings.ts";
import { sigmaToTimestep } from "../sigmas.ts";
import { finalSigma, type GridRule, sigmaGrid } from "../sigma_grid.ts";
import { type StepStart, stepStarts } from "../solvers/churn.ts";
import { euler } from "../solvers/euler.ts";
import { eulerAncestral } from "../solvers/euler_ancestral.ts";
import { heun } from "../solvers/heun.ts";
import { lms } from "../solvers/lms.ts";
import { alongNoise } from "../solvers/straight.ts";
import { CLIPPING_OPTIONS, clippingOf, type Recipe, type Request, unitVariance } from "./recipe.ts";

/** Options that all schedulers in sigma space share. */
export const SIGMA_OPTIONS = {
  timestepSpacing: "linspace",
  stepsOffset: 0,
} as const satisfies Partial<Settings>;

/** What they can be told although not each of diffusers' classes has it. */
export const SIGMA_ALSO = [
  "sigmaSchedule",
  "interpolationType",
  "sigmaMin",
  "sigmaMax",
  "finalSigmasType",
  "rescaleBetasZeroSnr",
  "clipSample",
  "clipSampleRange",
  "thresholding",
  "dynamicThresholdingRatio",
  "sampleMaxValue",
] as const satisfies readonly (keyof Settings)[];

/** What the samplers of Karras et al. can be told besides. */
export const CHURN_ALSO = [...SIGMA_ALSO, "sChurn", "sTmin", "sTmax", "sNoise"] as const;

/** Fractions of timesteps are kept, and schedules run between the ends of the visited sigmas. */
export const FRACTIONAL: GridRule = {
  fractional: true,
  range: "visited",
  finish: (timestep) => Math.fround(timestep),
  final: finalSigma,
};

/** EulerDiscreteScheduler: what SDXL ships with. */
export const eulerRecipe: Recipe = {
  options: {
    ...SIGMA_OPTIONS,
    sigmaSchedule: "trained",
    interpolationType: "linear",
    timestepType: "discrete",
    sigmaMin: null,
    sigmaMax: null,
    rescaleBetasZeroSnr: false,
    finalSigmasType: "zero",
  },
  also: CHURN_ALSO,
  draft: inSigmaSpace("denoised", (levels, first, settings) => {
    const run = levels.slice(first);
    return euler(run, churned(run, settings));
  }),
};

/** EulerAncestralDiscreteScheduler: what SDXL Turbo ships with. */
export const eulerAncestralRecipe: Recipe = {
  options: { ...SIGMA_OPTIONS, rescaleBetasZeroSnr: false, eta: 1 },
  also: SIGMA_ALSO,
  draft: inSigmaSpace(
    "denoised",
    (levels, first, { eta }) => eulerAncestral(levels.slice(first), eta),
  ),
};

/** HeunDiscreteScheduler: two calls a step. */
export const heunRecipe: Recipe = {
  options: {
    ...SIGMA_OPTIONS,
    betaStart: 0.00085,
    betaEnd: 0.012,
    sigmaSchedule: "trained",
    clipSample: CLIPPING_OPTIONS.clipSample,
    clipSampleRange: CLIPPING_OPTIONS.clipSampleRange,
  },
  also: CHURN_ALSO,
  draft: inSigmaSpace("epsilon", (levels, first, settings) => {
    const run = levels.slice(first);
    return heun(run, alongNoise, churned(run, settings));
  }),
};

/** LMSDiscreteScheduler: fourth order, one call a step. */
export const lmsRecipe: Recipe = {
  options: { ...SIGMA_OPTIONS, sigmaSchedule: "trained" },
  also: SIGMA_ALSO,
  draft: inSigmaSpace("epsilon", lms),
};

/** Where the steps of a run begin, with the noise that the settings add before each. */
export function churned(levels: readonly Level[], settings: Settings): StepStart[] {
  const { sChurn: amount, sTmin: min, sTmax: max, sNoise: noise } = settings;
  return stepStarts(levels, { amount, min, max, noise }, levelFinder(settings));
}

/** The level at any sigma, its timestep looked up in the noise table. */
export function levelFinder(settings: Settings): (sigma: number) => Level {
  const logSigmas = noiseTable(settings, true).sigmas.map(Math.log);
  return (at) => varianceExploding(Math.fround(sigmaToTimestep(at, logSigmas)), at);
}

/** Plans a run of `solver` over the grid's levels, where the clean picture keeps its size. */
export function inSigmaSpace(
  basis: Basis,
  solver: (levels: readonly Level[], first: number, settings: Settings) => Call[],
): Recipe["draft"] {
  return (settings, request) => {
    const { levels, initialScale } = explodingLevels(settings, request, FRACTIONAL);
    return {
      basis,
      initialScale,
      inputScale: unitVariance,
      calls: solver(levels, request.first, settings),
      ...clippingOf(settings),
    };
  };
}

/** The levels of a run (one more than it has steps) and the size of the noise it starts from. */
export function explodingLevels(
  settings: Settings,
  request: Request,
  rule: GridRule,
): { levels: Level[]; initialScale: number } {
  const table = noiseTable(settings, true);
  const { timesteps, sigmas } = sigmaGrid(settings, request, table, rule);
  const continuous = settings.timestepType === "continuous" &&
    settings.predictionType === "v_prediction";
  const levels = sigmas.map((sigma, i) =>
    varianceExploding(continuous ? Math.fround(0.25 * Math.log(sigma)) : timesteps[i] ?? -1, sigma)
  );
  return { levels, initialScale: initialScale(settings, Math.max(...sigmas)) };
}

/** "leading" starts below the noisiest level and adds what a unit-variance picture would have. */
function initialScale({ timestepSpacing }: Settings, max: number): number {
  if (timestepSpacing !== "leading") return max;
  return Math.fround(Math.sqrt(Math.fround(Math.fround(max * max) + 1)));
}
