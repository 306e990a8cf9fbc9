import { type Level, varianceExploding } from "../level.ts";
import { noiseTable } from "../noise_table.ts";
import type { Call } from "../plan.ts";
import type { Settings } from "../settings.ts";
import { finalSigma, type GridRule, sigmaGrid } from "../sigma_grid.ts";
import { euler } from "../solvers/euler.ts";
import { eulerAncestral } from "../solvers/euler_ancestral.ts";
import type { Draft, Recipe, Request } from "./recipe.ts";

/** Options that all schedulers in sigma space share. */
const SIGMA_OPTIONS = {
  timestepSpacing: "linspace",
  stepsOffset: 0,
} as const satisfies Partial<Settings>;

const FRACTIONAL: GridRule = {
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
  draft: inSigmaSpace(euler),
};

/** EulerAncestralDiscreteScheduler: what SDXL Turbo ships with. */
export const eulerAncestralRecipe: Recipe = {
  options: { ...SIGMA_OPTIONS, rescaleBetasZeroSnr: false },
  draft: inSigmaSpace(eulerAncestral),
};

/** Plans a run of `solver` over the grid's levels, where the clean picture keeps its size. */
function inSigmaSpace(
  solver: (levels: readonly Level[], first: number) => Call[],
): Recipe["draft"] {
  return (settings: Settings, request: Request): Draft => {
    const { levels, initialScale } = explodingLevels(settings, request, FRACTIONAL);
    return { basis: "denoised", initialScale, calls: solver(levels.slice(request.first), 0) };
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
