import { linspace } from "../float32.ts";
import { flowMatching, type Level } from "../level.ts";
import type { Call } from "../plan.ts";
import type { Settings } from "../settings.ts";
import {
  betaSigmas,
  exponentialSigmas,
  karrasSigmas,
  shiftedFlowSigmas,
  stretchTo,
} from "../sigmas.ts";
import { flowEuler } from "../solvers/flow_euler.ts";
import { heun } from "../solvers/heun.ts";
import { alongFlow } from "../solvers/straight.ts";
import { asIs, type Draft, type Recipe, type Request } from "./recipe.ts";

/** FlowMatchEulerDiscreteScheduler: Stable Diffusion 3, Flux and other rectified flow models. */
export const flowEulerRecipe: Recipe = {
  options: {
    predictionType: "flow_prediction",
    shift: 1,
    useDynamicShifting: false,
    baseShift: 0.5,
    maxShift: 1.15,
    baseImageSeqLen: 256,
    maxImageSeqLen: 4096,
    invertSigmas: false,
    shiftTerminal: null,
    sigmaSchedule: "trained",
    timeShiftType: "exponential",
    stochasticSampling: false,
  },
  draft: (settings, request) =>
    inFlow(settings, request, (levels) => flowEuler(levels, settings.stochasticSampling)),
};

/** FlowMatchHeunDiscreteScheduler. */
export const flowHeunRecipe: Recipe = {
  options: { predictionType: "flow_prediction", shift: 1 },
  draft: (settings, request) => inFlow(settings, request, (levels) => heun(levels, alongFlow)),
};

function inFlow(
  settings: Settings,
  request: Request,
  solver: (levels: readonly Level[]) => Call[],
): Draft {
  const levels = mixedLevels(settings, request).slice(request.first);
  return { basis: "output", initialScale: 1, inputScale: asIs, calls: solver(levels) };
}

/** The levels of a run, one more than it has steps: from pure noise to none (or back, inverted). */
function mixedLevels(settings: Settings, request: Request): Level[] {
  const { numTrainTimesteps: trained, invertSigmas, shift } = settings;
  // diffusers shifts the ends of the trained range once and the run's own sigmas once more.
  const least = settings.useDynamicShifting ? 1 / trained : shiftOnce(1 / trained, shift);
  const given = request.sigmas ?? request.timesteps?.map((timestep) => timestep / trained);
  const spaced = given
    ? Float64Array.from(given, Math.fround).slice(0, request.steps)
    : linspace(trained, Math.fround(least) * trained, request.steps).map((t) => t / trained);
  let sigmas = settings.useDynamicShifting
    ? shiftByResolution(settings, request, spaced)
    : shiftedFlowSigmas(spaced, shift);
  if (settings.shiftTerminal) sigmas = stretchTo(sigmas, settings.shiftTerminal);
  sigmas = scheduled(settings, sigmas);
  const visited = Array.from(sigmas, (s) => Math.fround(invertSigmas ? 1 - Math.fround(s) : s));
  return [...visited, request.sigmas?.at(-1) ?? (invertSigmas ? 1 : 0)]
    .map((sigma) => flowMatching(Math.fround(sigma * trained), sigma));
}

function shiftOnce(mix: number, shift: number): number {
  return shiftedFlowSigmas(Float64Array.of(mix), shift)[0]!;
}

/** Shifts more for larger pictures (Esser et al. 2024, section 5.3.2, as Flux parameterises it). */
function shiftByResolution(
  settings: Settings,
  { imageSequenceLength }: Request,
  mixes: Float64Array,
): Float64Array {
  if (imageSequenceLength === undefined) {
    throw new TypeError(
      `Cannot plan a run: this model shifts its sigmas by the size of the picture; got no ` +
        `imageSequenceLength, expected the picture's tokens. Give it to plan().`,
    );
  }
  const { baseShift, maxShift, baseImageSeqLen, maxImageSeqLen, timeShiftType } = settings;
  const slope = (maxShift - baseShift) / (maxImageSeqLen - baseImageSeqLen);
  const mu = baseShift + (imageSequenceLength - baseImageSeqLen) * slope;
  const amount = timeShiftType === "linear" ? mu : Math.exp(mu);
  return mixes.map((mix) => amount / (amount + (1 / mix - 1)));
}

function scheduled({ sigmaSchedule }: Settings, sigmas: Float64Array): Float64Array {
  const range = { max: sigmas[0]!, min: sigmas.at(-1)! };
  switch (sigmaSchedule) {
    case "trained":
      return sigmas;
    case "karras":
      return karrasSigmas(sigmas.length, range);
    case "exponential":
      return exponentialSigmas(sigmas.length, range);
    case "beta":
      return betaSigmas(sigmas.length, range);
    default:
      throw new RangeError(
        `Cannot plan a run: flow models have no such sigma schedule; got "${sigmaSchedule}", ` +
          `expected karras, exponential or beta. Choose one of them or none.`,
      );
  }
}
