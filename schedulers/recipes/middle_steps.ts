import { roundHalfEven } from "../float32.ts";
import { type Level, sigma, varianceExploding } from "../level.ts";
import { noiseTable } from "../noise_table.ts";
import type { Settings } from "../settings.ts";
import type { GridRule } from "../sigma_grid.ts";
import { sigmaToTimestep } from "../sigmas.ts";
import { dpm2, type MiddleStep } from "../solvers/dpm2.ts";
import { dpmppSde } from "../solvers/dpmpp_sde.ts";
import { ancestralSplit } from "../solvers/euler.ts";
import { type Recipe, type Request, unitVariance } from "./recipe.ts";
import { explodingLevels, FRACTIONAL, SIGMA_OPTIONS } from "./sigma_space.ts";

const OPTIONS = {
  ...SIGMA_OPTIONS,
  betaStart: 0.00085,
  betaEnd: 0.012,
  sigmaSchedule: "trained",
} as const satisfies Partial<Settings>;

const ALSO = [
  "interpolationType",
  "sigmaMin",
  "sigmaMax",
  "finalSigmasType",
  "rescaleBetasZeroSnr",
] as const satisfies readonly (keyof Settings)[];

/** Like Euler's, but Karras's timesteps are whole (those of the middles are not). */
const KARRAS_WHOLE: GridRule = {
  ...FRACTIONAL,
  finish: (timestep, { sigmaSchedule }) =>
    sigmaSchedule === "karras" ? roundHalfEven(timestep) : Math.fround(timestep),
};

/** KDPM2DiscreteScheduler: "DPM2". */
export const kdpm2Recipe: Recipe = {
  options: OPTIONS,
  also: ALSO,
  draft(settings, request) {
    const { steps, last, initialScale } = middleSteps(settings, request, KARRAS_WHOLE);
    return { basis: "epsilon", initialScale, inputScale: unitVariance, calls: dpm2(steps, last) };
  },
};

/** KDPM2AncestralDiscreteScheduler: "DPM2 a". */
export const kdpm2AncestralRecipe: Recipe = {
  options: { ...OPTIONS, eta: 1 },
  also: ALSO,
  draft(settings, request) {
    const { steps, last, initialScale, middle } = middleSteps(settings, request, KARRAS_WHOLE);
    const noisy = steps.map(({ from, to }) => {
      const { down, up } = ancestralSplit(from, to, settings.eta);
      const below = varianceExploding(to.timestep, down);
      return { from, middle: middle(from, below), to: below, up };
    });
    return { basis: "epsilon", initialScale, inputScale: unitVariance, calls: dpm2(noisy, last) };
  },
};

/** DPMSolverSDEScheduler: "DPM++ SDE". */
export const dpmSdeRecipe: Recipe = {
  options: { ...OPTIONS, noiseSamplerSeed: null },
  also: ALSO,
  draft(settings, request) {
    const { levels, steps, last, initialScale } = middleSteps(settings, request, FRACTIONAL);
    const sigmas = levels.map(sigma).filter((value) => value > 0);
    return {
      basis: "denoised",
      initialScale,
      inputScale: unitVariance,
      calls: dpmppSde(steps, last),
      brownianPath: {
        from: Math.min(...sigmas),
        to: Math.max(...sigmas),
        seed: settings.noiseSamplerSeed,
      },
    };
  },
};

/** The geometric mean by way of float32 logarithms, as diffusers takes it. */
function halfwayInLog(from: number, to: number): number {
  const f32 = Math.fround;
  const [a, b] = [f32(Math.log(from)), f32(Math.log(to))];
  return f32(Math.exp(f32(a + f32(f32(b - a) / 2))));
}

/** All steps but the last, each with the level halfway in log sigma. */
function middleSteps(settings: Settings, request: Request, rule: GridRule): {
  levels: Level[];
  steps: MiddleStep[];
  last: { from: Level; to: Level };
  initialScale: number;
  middle: (from: Level, to: Level) => Level;
} {
  const { levels, initialScale } = explodingLevels(settings, request, rule);
  const logSigmas = noiseTable(settings, true).sigmas.map(Math.log);
  const middle = (from: Level, to: Level) => {
    const halfway = halfwayInLog(sigma(from), sigma(to));
    return varianceExploding(Math.fround(sigmaToTimestep(halfway, logSigmas)), halfway);
  };
  const steps = levels.slice(request.first, -2).map((from, i) => {
    const to = levels[request.first + i + 1]!;
    return { from, middle: middle(from, to), to };
  });
  return {
    levels,
    steps,
    last: { from: levels.at(-2)!, to: levels.at(-1)! },
    initialScale,
    middle,
  };
}
