/**
 * Everything a `scheduler_config.json` can say, with one name and one type each.
 * @module
 */
import type { NoiseTableOptions } from "./noise_table.ts";
import type { Prediction } from "./plan.ts";
import { parsePrediction } from "./prediction.ts";
import type { SigmaSchedule } from "./sigmas.ts";
import type { Spacing } from "./spacing.ts";

/** diffusers' options in camelCase, and `eta`, which diffusers gives to the pipeline. */
export interface Settings extends NoiseTableOptions {
  readonly predictionType: Prediction;
  readonly timestepSpacing: Spacing;
  readonly stepsOffset: number;
  /** Fresh noise, from 0 (none) to 1 (all that fits): DDIM and TCD begin at 0, ancestral samplers at 1. */
  readonly eta: number;

  readonly clipSample: boolean;
  readonly clipSampleRange: number;
  readonly thresholding: boolean;
  readonly dynamicThresholdingRatio: number;
  readonly sampleMaxValue: number;

  readonly setAlphaToOne: boolean;
  readonly skipPrkSteps: boolean;
  readonly varianceType: string | null;
  readonly originalInferenceSteps: number;
  readonly timestepScaling: number;

  /** In files: use_karras_sigmas, use_exponential_sigmas, use_beta_sigmas; EDM's sigma_schedule. */
  readonly sigmaSchedule: SigmaSchedule;
  readonly interpolationType: string;
  readonly timestepType: string;
  readonly finalSigmasType: string;
  readonly sigmaMin: number | null;
  readonly sigmaMax: number | null;
  /** DPM++ SDE: seed of its Brownian path; null takes the run's. */
  readonly noiseSamplerSeed: number | null;
  readonly sigmaData: number;
  readonly rho: number;

  readonly solverOrder: number;
  readonly algorithmType: string;
  readonly solverType: string;
  readonly lowerOrderFinal: boolean;
  readonly eulerAtFinal: boolean;
  /** Spaces lambda evenly where no other schedule is chosen. */
  readonly useLuLambdas: boolean;
  readonly lambdaMinClipped: number;
  readonly predictX0: boolean;
  readonly disableCorrector: readonly number[];

  readonly useFlowSigmas: boolean;
  readonly flowShift: number;
  readonly shift: number;
  readonly useDynamicShifting: boolean;
  readonly baseShift: number;
  readonly maxShift: number;
  readonly baseImageSeqLen: number;
  readonly maxImageSeqLen: number;
  readonly invertSigmas: boolean;
  readonly shiftTerminal: number | null;
  readonly timeShiftType: string;
  readonly stochasticSampling: boolean;
}

/** diffusers' library defaults; each recipe names its options with its own defaults. */
export const LIBRARY_DEFAULTS: Settings = Object.freeze({
  numTrainTimesteps: 1000,
  betaStart: 0.0001,
  betaEnd: 0.02,
  betaSchedule: "linear",
  trainedBetas: null,
  rescaleBetasZeroSnr: false,
  predictionType: "epsilon",
  timestepSpacing: "linspace",
  stepsOffset: 0,
  eta: 0,
  clipSample: false,
  clipSampleRange: 1,
  thresholding: false,
  dynamicThresholdingRatio: 0.995,
  sampleMaxValue: 1,
  setAlphaToOne: true,
  skipPrkSteps: false,
  varianceType: null,
  originalInferenceSteps: 50,
  timestepScaling: 10,
  sigmaSchedule: "trained",
  interpolationType: "linear",
  timestepType: "discrete",
  finalSigmasType: "zero",
  sigmaMin: null,
  sigmaMax: null,
  noiseSamplerSeed: null,
  sigmaData: 0.5,
  rho: 7,
  solverOrder: 2,
  algorithmType: "dpmsolver++",
  solverType: "midpoint",
  lowerOrderFinal: true,
  eulerAtFinal: false,
  useLuLambdas: false,
  lambdaMinClipped: -Infinity,
  predictX0: true,
  disableCorrector: [],
  useFlowSigmas: false,
  flowShift: 1,
  shift: 1,
  useDynamicShifting: false,
  baseShift: 0.5,
  maxShift: 1.15,
  baseImageSeqLen: 256,
  maxImageSeqLen: 4096,
  invertSigmas: false,
  shiftTerminal: null,
  timeShiftType: "exponential",
  stochasticSampling: false,
});

/** The flags that choose a sigma schedule in the file; at most one may be set. */
const SIGMA_FLAGS = {
  use_karras_sigmas: "karras",
  use_exponential_sigmas: "exponential",
  use_beta_sigmas: "beta",
} as const satisfies Record<string, SigmaSchedule>;

/** Types of the options whose default is null. */
const NULLABLE: Partial<Record<keyof Settings, string>> = {
  trainedBetas: "array",
  varianceType: "string",
  sigmaMin: "number",
  sigmaMax: "number",
  shiftTerminal: "number",
  noiseSamplerSeed: "number",
};

/** Options that every scheduler of diffusers reads. */
export const COMMON_OPTIONS = [
  "numTrainTimesteps",
  "betaStart",
  "betaEnd",
  "betaSchedule",
  "trainedBetas",
  "predictionType",
] as const satisfies readonly (keyof Settings)[];

/**
 * Reads a `scheduler_config.json` object for a scheduler that knows `options` (with its defaults).
 *
 * Keys that this scheduler lacks in diffusers are not read, even if the file has them: the file
 * may have been written by another scheduler. Absent and null keys keep their defaults.
 * Throws TypeError when a value has the wrong type, RangeError for an unknown prediction type or
 * two sigma schedules at once.
 */
export function readSettings(
  config: Record<string, unknown>,
  options: Partial<Settings>,
): Settings {
  const settings: Record<string, unknown> = { ...LIBRARY_DEFAULTS, ...options };
  for (const name of new Set([...COMMON_OPTIONS, ...Object.keys(options)])) {
    const key = snakeCase(name);
    const value = config[key];
    if (value === undefined || value === null || name === "sigmaSchedule") continue;
    // JSON has no infinity: diffusers writes "-Infinity" or "-inf".
    const parsed = value === "-inf" || value === "-Infinity" ? -Infinity : value;
    checkType(key, parsed, name as keyof Settings);
    settings[name] = parsed;
  }
  settings.predictionType = parsePrediction(String(settings.predictionType));
  if (options.sigmaSchedule) {
    settings.sigmaSchedule = readSigmaSchedule(config, options.sigmaSchedule);
  }
  return settings as unknown as Settings;
}

function readSigmaSchedule(
  config: Record<string, unknown>,
  fallback: SigmaSchedule,
): SigmaSchedule {
  // Only EDM's schedulers have a schedule by default, and name it.
  if (fallback !== "trained") return (config.sigma_schedule ?? fallback) as SigmaSchedule;
  const chosen = Object.entries(SIGMA_FLAGS).filter(([key]) => config[key] === true);
  if (chosen.length > 1) {
    throw new RangeError(
      `Cannot plan a run: only one sigma schedule can be used; got ` +
        `${chosen.map(([key]) => key).join(" and ")}, expected at most one of them. ` +
        `Set the others to false in scheduler_config.json.`,
    );
  }
  return chosen[0]?.[1] ?? fallback;
}

function checkType(key: string, value: unknown, name: keyof Settings): void {
  const expected = NULLABLE[name] ?? typeOf(LIBRARY_DEFAULTS[name]);
  if (typeOf(value) === expected) return;
  throw new TypeError(
    `Cannot read scheduler_config.json: "${key}" has the wrong type; got ` +
      `${JSON.stringify(value)}, expected ${expected}. Correct the file.`,
  );
}

function typeOf(value: unknown): string {
  return Array.isArray(value) ? "array" : typeof value;
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
