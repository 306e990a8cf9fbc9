/**
 * Reads a scheduler_config.json, whichever scheduler wrote it.
 * @module
 */
import { parsePrediction } from "./prediction.ts";
import { LIBRARY_DEFAULTS, type Settings } from "./settings.ts";
import type { SigmaSchedule } from "./sigmas.ts";

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
