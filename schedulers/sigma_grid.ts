/**
 * Timesteps and sigmas of the schedulers that work with sigmas.
 * @module
 */
import { interpolate } from "./float32.ts";
import type { NoiseTable } from "./noise_table.ts";
import type { Settings } from "./settings.ts";
import type { Request } from "./recipes/recipe.ts";
import * as schedules from "./sigmas.ts";
import { spaceTimesteps } from "./spacing.ts";

/** How a family of schedulers uses sigmas. */
export interface GridRule {
  /** Euler's family keeps fractions of timesteps; DPM-Solver's gives the network whole ones. */
  readonly fractional: boolean;
  /** Whether the schedules run between the ends of the visited sigmas or of the whole table. */
  readonly range: "visited" | "table";
  /** Makes a timestep that was looked up from a scheduled sigma what the network gets. */
  readonly finish: (timestep: number, settings: Settings) => number;
  /** The sigma after the last visited one. */
  readonly final: (settings: Settings, table: NoiseTable, visited: readonly number[]) => number;
}

/** The grid of a run, before `first` is cut off. */
export interface SigmaGrid {
  /** `[steps]` */
  readonly timesteps: readonly number[];
  /** `[steps + 1]`, float32 values; the last is where the run ends. */
  readonly sigmas: readonly number[];
}

/** Spaces timesteps, reads or makes sigmas, and appends the final one. */
export function sigmaGrid(
  settings: Settings,
  request: Request,
  table: NoiseTable,
  rule: GridRule,
): SigmaGrid {
  const logSigmas = table.sigmas.map(Math.log);
  const lookUp = (sigma: number) =>
    rule.finish(schedules.sigmaToTimestep(sigma, logSigmas), settings);
  if (request.sigmas) {
    const sigmas = request.sigmas.map(Math.fround);
    return { timesteps: sigmas.slice(0, -1).map(lookUp), sigmas };
  }
  const spaced = request.timesteps ?? spaceTimesteps(settings.timestepSpacing, request.steps, {
    trained: lastTimestep(settings, table, rule),
    offset: settings.stepsOffset,
    fractional: rule.fractional,
    dropLast: !rule.fractional,
  });
  const visited = visitedSigmas(settings, request.steps, spaced, table);
  if (settings.sigmaSchedule === "trained") {
    // Log-linear interpolation already made the sigma after the last timestep.
    const rest = visited.length > spaced.length ? [] : [rule.final(settings, table, visited)];
    return { timesteps: spaced, sigmas: [...visited, ...rest].map(Math.fround) };
  }
  if (request.timesteps) {
    throw new RangeError(
      `Cannot plan a run: given timesteps already say which sigmas are visited; got the ` +
        `"${settings.sigmaSchedule}" schedule too, expected one of the two. Leave one out.`,
    );
  }
  const ends = rule.range === "visited" ? visited : table.sigmas.toReversed();
  const chosen = scheduledSigmas(settings, request.steps, table, ends);
  const sigmas = [...chosen, rule.final(settings, table, chosen)].map(Math.fround);
  return { timesteps: chosen.map(lookUp), sigmas };
}

/** What `final_sigmas_type` says: no noise at all, or as little as the table has. */
export function finalSigma({ finalSigmasType }: Settings, { sigmas }: NoiseTable): number {
  return finalSigmasType === "sigma_min" ? sigmas[0]! : 0;
}

function visitedSigmas(
  { interpolationType }: Settings,
  steps: number,
  timesteps: readonly number[],
  { sigmas }: NoiseTable,
): number[] {
  if (interpolationType === "log_linear") {
    const ends = { max: sigmas.at(-1)!, min: sigmas[0]! };
    return Array.from(schedules.exponentialSigmas(steps + 1, ends));
  }
  return timesteps.map((timestep) => interpolate(timestep, sigmas));
}

function scheduledSigmas(
  settings: Settings,
  steps: number,
  { sigmas }: NoiseTable,
  ends: ArrayLike<number>,
): number[] {
  const max = settings.sigmaMax ?? ends[0]!;
  const min = settings.sigmaMin ?? ends[ends.length - 1]!;
  const range = { max, min };
  switch (settings.sigmaSchedule) {
    case "karras":
      return [...schedules.karrasSigmas(steps, range)];
    case "exponential":
      return [...schedules.exponentialSigmas(steps, range)];
    case "polyexponential":
      return [...schedules.polyexponentialSigmas(steps, range)];
    case "beta":
      return [...schedules.betaSigmas(steps, range)];
    case "kl_optimal":
      return [...schedules.klOptimalSigmas(steps, range)];
    case "ays":
      return [...schedules.alignYourStepsSigmas(steps, "sd")];
    case "ays_sdxl":
      return [...schedules.alignYourStepsSigmas(steps, "sdxl")];
    case "simple":
      return [...schedules.simpleSigmas(steps, sigmas)];
    case "sgm_uniform":
      return [...schedules.sgmUniformSigmas(steps, sigmas)];
    case "lu":
      return [...schedules.luSigmas(steps, range)];
    case "trained":
      return [];
  }
}

/** One more than the largest timestep; `lambda_min_clipped` leaves out the noisiest ones. */
function lastTimestep(
  { numTrainTimesteps, lambdaMinClipped }: Settings,
  { alphasCumprod }: NoiseTable,
  rule: GridRule,
): number {
  if (rule.fractional || lambdaMinClipped === -Infinity) return numTrainTimesteps;
  const clipped = alphasCumprod.filter((alpha) =>
    Math.log(Math.sqrt(alpha) / Math.sqrt(1 - alpha)) < lambdaMinClipped
  );
  return numTrainTimesteps - clipped.length;
}
