/**
 * What a user says over the model's file, checked against what the scheduler can do.
 * @module
 */
import { COMMON_OPTIONS } from "./read_settings.ts";
import { RECIPES } from "./recipes/all.ts";
import type { Recipe } from "./recipes/recipe.ts";
import { LIBRARY_DEFAULTS, type Settings } from "./settings.ts";

/** The values of those options that are words. */
const CHOICES: Partial<Record<keyof Settings, readonly string[]>> = {
  predictionType: ["epsilon", "v_prediction", "sample", "flow_prediction"],
  timestepSpacing: ["leading", "linspace", "trailing"],
  sigmaSchedule: [
    "trained",
    "karras",
    "exponential",
    "polyexponential",
    "beta",
    "lu",
    "ays",
    "ays_sdxl",
    "kl_optimal",
    "simple",
    "sgm_uniform",
  ],
  interpolationType: ["linear", "log_linear"],
  timestepType: ["discrete", "continuous"],
  finalSigmasType: ["zero", "sigma_min"],
  // One word for several solvers: each reads those of the others as its own default.
  solverType: ["midpoint", "heun", "bh1", "bh2", "logrho"],
  timeShiftType: ["exponential", "linear"],
  learningRateSchedule: ["constant", "linear", "cosine"],
};

/** The ranges of those that are numbers and have one, both ends allowed. */
const RANGES: Partial<Record<keyof Settings, readonly [least: number, most: number]>> = {
  eta: [0, 1],
  sChurn: [0, Infinity],
  sTmin: [0, Infinity],
  sTmax: [0, Infinity],
  sNoise: [0, Infinity],
  momentum: [-0.999, 0.999],
  squareMomentum: [0, 0.9999],
  adamEpsilon: [0, Infinity],
  learningRate: [0, 10],
  geGamma: [0, 10],
};

/**
 * `settings` of scheduler `name`, planned by `recipe`, with `overrides` put over them.
 *
 * Throws RangeError for an override that this scheduler has no use for, and for values of any
 * option, overridden or from the file, that mean nothing.
 */
export function override(
  { name, recipe }: { readonly name: string; readonly recipe: Recipe },
  settings: Settings,
  overrides: Partial<Settings>,
): Settings {
  for (const [option, value] of Object.entries(overrides) as [keyof Settings, unknown][]) {
    if (takes(recipe, option) || settings[option] === value) {
      const type = typeof LIBRARY_DEFAULTS[option];
      if (LIBRARY_DEFAULTS[option] === null || typeof value === type) continue;
      refuse(name, option, value, `a ${type}`);
    }
    const others = Object.entries(RECIPES).filter(([, recipe]) => takes(recipe, option));
    throw new RangeError(
      `Cannot use ${option} with ${name}: it has no such option; got ${JSON.stringify(value)}. ` +
        (others.length === 0
          ? `No scheduler has it.`
          : `Leave it out, or use one of ${others.map(([other]) => other).join(", ")}.`),
    );
  }
  const result = { ...settings, ...overrides };
  check(name, result);
  return result;
}

function takes({ options, also = [] }: Recipe, option: keyof Settings): boolean {
  return option in options || [...COMMON_OPTIONS, ...also].includes(option);
}

function check(name: string, settings: Settings): void {
  for (const [option, choices] of Object.entries(CHOICES) as [keyof Settings, string[]][]) {
    const value = settings[option];
    if (choices.includes(String(value))) continue;
    refuse(name, option, value, choices.join(", "));
  }
  for (const [option, [least, most]] of Object.entries(RANGES)) {
    const value = settings[option as keyof Settings] as number;
    if (value >= least && value <= most) continue;
    refuse(name, option, value, most === Infinity ? `${least} or more` : `${least} to ${most}`);
  }
  const { solverOrder } = settings;
  if (![1, 2, 3].includes(solverOrder)) refuse(name, "solverOrder", solverOrder, "1, 2 or 3");
}

function refuse(name: string, option: string, value: unknown, expected: string): never {
  throw new RangeError(
    `Cannot plan a run with ${name}: ${option} has no such value; got ${JSON.stringify(value)}, ` +
      `expected ${expected}. Correct the option or scheduler_config.json.`,
  );
}
