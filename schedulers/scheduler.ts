/**
 * From a model's scheduler_config.json to the plan of a run.
 * @module
 */
import { sigma } from "./level.ts";
import type { AdaptiveSearch, Plan, Row, Stage } from "./plan.ts";
import { toDenoised, toResult } from "./prediction.ts";
import { callsUntil, checkPart, firstStepAfter, type RunPart } from "./part_of_run.ts";
import { RECIPES } from "./recipes/all.ts";
import { recipeOfSolver, type Solver } from "./recipes/own.ts";
import type { Draft, Recipe, Request } from "./recipes/recipe.ts";
import { override } from "./override.ts";
import { resolveSchedulerName } from "./names.ts";
import { readSettings } from "./read_settings.ts";
import type { Settings } from "./settings.ts";

/** What a user may say over the model's file; absent members keep what the file says. */
export interface SchedulerOverrides extends Partial<Settings> {
  /** Another scheduler, by any of the names that `resolveSchedulerName` knows, or a solver. */
  readonly scheduler?: string | Solver;
}

/** What a run is asked for. */
export interface PlanRequest extends RunPart {
  /** How many steps; not needed with `timesteps` or `sigmas`. */
  readonly steps?: number;
  /** Exactly these timesteps, falling. */
  readonly timesteps?: readonly number[];
  /** Exactly these sigmas, falling, with the final one (usually 0). */
  readonly sigmas?: readonly number[];
  /** Image to image: how much of the run is done, 0..1; the run begins late enough for that. */
  readonly strength?: number;
  /** The first step to run, instead of `strength`. */
  readonly first?: number;
  /** Tokens of the picture, for flow models that shift their sigmas by it. */
  readonly imageSequenceLength?: number;
}

/** A scheduler with all its options decided; it holds no state and plans as many runs as asked. */
export interface Scheduler {
  /** diffusers' class name, or the solver's. */
  readonly name: string;
  /** All options: the file's, the scheduler's defaults, the user's. */
  readonly settings: Settings;
  /** Throws RangeError when the request cannot be met: see the message. */
  plan(request: PlanRequest): Plan;
}

/**
 * The scheduler that `config` (a parsed scheduler_config.json) describes, with `overrides` applied.
 *
 * A scheduler other than the file's takes the options that it knows from the file and its own
 * defaults for the rest, as `from_config` does in diffusers. Throws RangeError for unknown names
 * and values, TypeError for values of the wrong type.
 */
export function schedulerFromConfig(
  config: Record<string, unknown>,
  overrides: SchedulerOverrides = {},
): Scheduler {
  const { scheduler, ...given } = overrides;
  const { name, recipe, implied } = choose(scheduler ?? config._class_name);
  const settings = override({ name, recipe }, readSettings(config, recipe.options), {
    ...implied,
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  });
  return { name, settings, plan: (request) => plan(name, recipe, settings, request) };
}

/** The recipe of a name or solver, and the options that a name implies. */
function choose(
  asked: unknown,
): { readonly name: string; readonly recipe: Recipe; readonly implied: Partial<Settings> } {
  if (isSolver(asked)) return { name: asked.name, recipe: recipeOfSolver(asked), implied: {} };
  if (typeof asked === "string") {
    const { name, overrides } = resolveSchedulerName(asked);
    return { name, recipe: RECIPES[name], implied: overrides };
  }
  throw new TypeError(
    `Cannot choose a scheduler: scheduler_config.json does not name one; got ` +
      `${JSON.stringify(asked)} for "_class_name", expected a name such as ` +
      `"EulerDiscreteScheduler". Name one with --scheduler.`,
  );
}

function isSolver(value: unknown): value is Solver {
  return typeof (value as Partial<Solver> | null)?.calls === "function";
}

function plan(name: string, recipe: Recipe, settings: Settings, asked: PlanRequest): Plan {
  const draft = partly(recipe, settings, checkRequest(settings, asked), asked);
  const stages = draft.calls.map((call) => completeStage(call, draft, settings));
  stages.forEach((stage, index) => checkFinite(stage, index, name));
  return {
    scheduler: name,
    prediction: settings.predictionType,
    basis: draft.basis,
    initialScale: draft.initialScale,
    stages,
    ...(draft.clipping ? { clipping: draft.clipping } : {}),
    ...(draft.brownianPath ? { brownianPath: draft.brownianPath } : {}),
    ...(draft.adaptive ? { adaptive: completeSearch(draft.adaptive, draft, settings) } : {}),
  };
}

/** The draft of the part of the run that is asked for. */
function partly(recipe: Recipe, settings: Settings, request: Request, part: RunPart): Draft {
  checkPart(part);
  const { denoisingStart: start, denoisingEnd: end } = part, trained = settings.numTrainTimesteps;
  let draft = recipe.draft(settings, request);
  if (start === undefined && end === undefined) return draft;
  if (draft.adaptive) refuse("adaptive steps have no part that is known", "Take all of it.");
  if (start !== undefined) {
    const by = { trained, byCalls: recipe.firstIsCall ?? false };
    draft = recipe.draft(settings, { ...request, first: firstStepAfter(start, draft.calls, by) });
  }
  const calls = end === undefined ? draft.calls : callsUntil(end, draft.calls, trained);
  if (calls.length > 0) return { ...draft, calls };
  return refuse(`no step lies between ${start ?? 0} and ${end ?? 1}`, "Take more steps.");
}

function completeSearch(
  { callAt, ...search }: NonNullable<Draft["adaptive"]>,
  draft: Draft,
  settings: Settings,
): AdaptiveSearch {
  return { ...search, stageAt: (at) => completeStage(callAt(at), draft, settings) };
}

/** Attaches what depends on the network: the meaning of its output and the scale of its input. */
function completeStage(
  call: Draft["calls"][number],
  { basis, clipping, inputScale, denoised }: Draft,
  { predictionType }: Settings,
): Stage {
  const { level } = call;
  return {
    ...call,
    timestep: level.timestep,
    sigma: sigma(level),
    inputScale: inputScale(level),
    denoised: denoised?.(level) ?? toDenoised(predictionType, level),
    result: toResult(basis, predictionType, level, clipping !== undefined),
  };
}

function checkRequest(settings: Settings, asked: PlanRequest): Request {
  const { timesteps, sigmas, strength, first = 0 } = asked;
  const steps = timesteps?.length ?? (sigmas ? sigmas.length - 1 : asked.steps);
  if (steps === undefined || !Number.isInteger(steps) || steps < 1) {
    refuse(`the number of steps is no positive whole number; got ${steps}`, "Ask for 1 or more.");
  }
  if (steps > settings.numTrainTimesteps) {
    refuse(
      `the model was trained with ${settings.numTrainTimesteps} timesteps; got ${steps} steps`,
      "Ask for fewer.",
    );
  }
  const rising = [timesteps, sigmas].some((list) => list?.some((v, i) => v > list[i - 1]!));
  if (rising && !settings.invertSigmas) {
    refuse("given timesteps or sigmas rise", "List them from the noisiest down.");
  }
  if (strength !== undefined && !(strength > 0 && strength <= 1)) {
    refuse(
      `strength is the part of the run that is done; got ${strength}`,
      "Use 0 < strength <= 1.",
    );
  }
  const begin = strength === undefined ? first : steps - Math.floor(steps * strength);
  if (!(begin >= 0 && begin < steps)) {
    refuse(
      `no step is left to run; got ${steps} steps ` +
        (strength === undefined ? `and first step ${first}` : `at strength ${strength}`),
      "Take more steps or begin earlier.",
    );
  }
  const { imageSequenceLength } = asked;
  return {
    steps,
    first: begin,
    ...(timesteps ? { timesteps } : {}),
    ...(sigmas ? { sigmas } : {}),
    ...(imageSequenceLength === undefined ? {} : { imageSequenceLength }),
  };
}

function refuse(why: string, what: string): never {
  throw new RangeError(`Cannot plan a run: ${why}. ${what}`);
}

/** Weights that are not numbers mean a combination that the mathematics has no answer for. */
function checkFinite(stage: Stage, index: number, name: string): void {
  const weights = [
    ...rowWeights(stage.next),
    ...(stage.correct ? rowWeights(stage.correct) : []),
    stage.churn ?? 0,
    ...Object.values(stage.denoised),
    ...Object.values(stage.result),
  ];
  if (weights.every(Number.isFinite)) return;
  throw new RangeError(
    `Cannot plan a run with ${name}: stage ${index + 1} (timestep ${stage.timestep}, sigma ` +
      `${stage.sigma}) has no finite weights. At zero signal (zero-SNR models) the network must ` +
      `predict v or the sample, and at zero noise solvers of higher order have no step: check ` +
      `"prediction_type", "final_sigmas_type" and "lower_order_final".`,
  );
}

function rowWeights({ start, results, unclipped = 0, noise = [] }: Row): number[] {
  return [start, ...results, unclipped, ...noise];
}
