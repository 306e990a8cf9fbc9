import { sigma } from "../level.ts";
import { noiseTable } from "../noise_table.ts";
import type { Settings } from "../settings.ts";
import { karrasSigmas } from "../sigmas.ts";
import { adamsBashforth } from "../solvers/adams_bashforth.ts";
import { dpmFast } from "../solvers/dpm_fast.ts";
import { dpmpp2sAncestral } from "../solvers/dpmpp_2s_ancestral.ts";
import { dpmpp3mSde } from "../solvers/dpmpp_3m_sde.ts";
import { restart } from "../solvers/restart.ts";
import { type Draft, type Recipe, refuseGiven, unitVariance } from "./recipe.ts";
import {
  explodingLevels,
  FRACTIONAL,
  inSigmaSpace,
  levelFinder,
  SIGMA_ALSO,
  SIGMA_OPTIONS,
} from "./sigma_space.ts";

/** Samplers that diffusers lacks read what its Euler would read. */
const OPTIONS = {
  ...SIGMA_OPTIONS,
  sigmaSchedule: "trained",
  sigmaMin: null,
  sigmaMax: null,
  rescaleBetasZeroSnr: false,
} as const satisfies Partial<Settings>;

/** "DPM++ 2S a" of A1111, "dpmpp_2s_ancestral" of ComfyUI. */
export const dpmpp2sAncestralRecipe: Recipe = {
  options: { ...OPTIONS, eta: 1 },
  also: SIGMA_ALSO,
  draft: inSigmaSpace(
    "denoised",
    (levels, first, settings) =>
      dpmpp2sAncestral(levels.slice(first), settings.eta, levelFinder(settings)),
  ),
};

/** "DPM++ 3M SDE", best with exponential sigmas. */
export const dpmpp3mSdeRecipe: Recipe = {
  options: { ...OPTIONS, eta: 1, noiseSamplerSeed: null },
  also: ["finalSigmasType", "interpolationType"],
  draft(settings, request) {
    const { levels, initialScale } = explodingLevels(settings, request, FRACTIONAL);
    const sigmas = levels.map(sigma).filter((value) => value > 0);
    return {
      basis: "denoised",
      initialScale,
      inputScale: unitVariance,
      calls: dpmpp3mSde(levels.slice(request.first), settings.eta),
      brownianPath: {
        from: Math.min(...sigmas),
        to: Math.max(...sigmas),
        seed: settings.noiseSamplerSeed,
      },
    };
  },
};

/** "ipndm" of ComfyUI and stable-diffusion.cpp: Adams-Bashforth over the sigmas. */
export const ipndmSigmaRecipe: Recipe = {
  options: OPTIONS,
  also: SIGMA_ALSO,
  draft: inSigmaSpace("epsilon", adamsBashforth),
};

/** "DPM fast": spaces its own sigmas, from the first to the last above 0; `steps` counts calls. */
export const dpmFastRecipe: Recipe = {
  options: { ...SIGMA_OPTIONS, eta: 0, rescaleBetasZeroSnr: false },
  draft(settings, request) {
    refuseGiven("DPM fast", request, "timesteps");
    const { levels, initialScale } = explodingLevels(settings, request, FRACTIONAL);
    const from = levels[request.first]!;
    const to = sigma(levels.findLast((level) => level.noise > 0)!);
    const calls = levels.length - 1 - request.first;
    const find = levelFinder(settings);
    return {
      basis: "epsilon",
      initialScale,
      inputScale: unitVariance,
      calls: dpmFast({ from, to, calls }, settings.eta, find),
    };
  },
};

/** "Restart" of A1111: its own Karras sigmas, and from 20 steps on a part of them again. */
export const restartRecipe: Recipe = {
  options: { ...SIGMA_OPTIONS, sigmaSchedule: "karras", rescaleBetasZeroSnr: false },
  draft(settings, request) {
    refuseGiven("Restart", request, "timesteps", "sigmas");
    if (settings.sigmaSchedule !== "karras") {
      throw new RangeError(
        `Cannot plan a run: Restart spaces its sigmas as Karras does; got ` +
          `"${settings.sigmaSchedule}", expected karras. Leave it out or use heun.`,
      );
    }
    const { levels, initialScale } = explodingLevels(settings, request, FRACTIONAL);
    const begin = levels[request.first]!;
    const steps = request.steps - request.first;
    const runs = restartRuns(steps, { max: sigma(begin), min: sigma(levels.at(-2)!) })
      .map((sigmas) => sigmas.map(levelFinder(settings)));
    return { basis: "epsilon", initialScale, inputScale: unitVariance, calls: restart(runs) };
  },
};

/**
 * "DPM adaptive": finds its own steps from the first sigma to the table's smallest; `steps` only
 * says, with `strength`, where it begins.
 */
export const dpmAdaptiveRecipe: Recipe = {
  options: { ...SIGMA_OPTIONS, sigmaMin: null, rescaleBetasZeroSnr: false },
  draft(settings, request): Draft {
    refuseGiven("DPM adaptive", request, "timesteps", "sigmas");
    const { levels, initialScale } = explodingLevels(settings, request, FRACTIONAL);
    const first = levels[request.first]!;
    const smallest = noiseTable(settings, true).sigmas[0]!;
    const find = levelFinder(settings);
    const callAt = (at: number) => ({
      level: find(at),
      next: { start: 1, results: [0] },
      advance: true,
    });
    return {
      basis: "epsilon",
      initialScale,
      inputScale: unitVariance,
      calls: [{ ...callAt(sigma(first)), level: first }],
      adaptive: {
        from: sigma(first),
        to: settings.sigmaMin ?? smallest,
        firstStep: 0.05,
        absoluteTolerance: 0.0078,
        relativeTolerance: 0.05,
        callAt,
      },
    };
  },
};

/** A1111's division of `steps`: one run down, then parts of it repeated from sigma 2 to 0.1. */
function restartRuns(steps: number, range: { max: number; min: number }): number[][] {
  const times = steps >= 36 ? 2 : steps >= 20 ? 1 : 0;
  const again = steps >= 36 ? Math.floor(steps / 4) : 9;
  const sigmas = [...karrasSigmas(steps - again * times, range), 0];
  if (times === 0) return [sigmas];
  const bottom = nearest(sigmas, 0.1);
  const top = nearest(sigmas, 2);
  if (top >= bottom) return [sigmas];
  const part = [...karrasSigmas(again + 1, { max: sigmas[top]!, min: sigmas[bottom]! })];
  const repeats = Array.from({ length: times }, () => part);
  return [sigmas.slice(0, bottom + 1), ...joinLast(repeats, sigmas.slice(bottom))];
}

/** The last repeat goes on down to the end. */
function joinLast(repeats: number[][], rest: number[]): number[][] {
  return [...repeats.slice(0, -1), [...repeats.at(-1)!, ...rest.slice(1)]];
}

function nearest(sigmas: readonly number[], wanted: number): number {
  const distances = sigmas.map((value) => Math.abs(value - wanted));
  return distances.indexOf(Math.min(...distances));
}
