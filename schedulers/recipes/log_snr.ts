import { linspace, roundHalfEven } from "../float32.ts";
import { flowMatching, type Level, variancePreserving } from "../level.ts";
import { noiseTable } from "../noise_table.ts";
import type { Basis } from "../plan.ts";
import type { Settings } from "../settings.ts";
import { finalSigma, type GridRule, sigmaGrid } from "../sigma_grid.ts";
import { shiftedFlowSigmas, stretchTo } from "../sigmas.ts";
import { deis } from "../solvers/deis.ts";
import { dpmMultistep, type DpmMultistepOptions } from "../solvers/dpm_multistep.ts";
import { blockOrders, dpmSinglestep } from "../solvers/dpm_singlestep.ts";
import { basisOf, type DpmAlgorithm } from "../solvers/exponential_integrator.ts";
import { uniPc } from "../solvers/unipc.ts";
import { asIs, clippingOf, type Draft, type Recipe, type Request } from "./recipe.ts";

/** Options that the solvers in log signal-to-noise ratio share. */
const LOG_SNR_OPTIONS = {
  thresholding: false,
  dynamicThresholdingRatio: 0.995,
  sampleMaxValue: 1,
  timestepSpacing: "linspace",
  stepsOffset: 0,
  solverOrder: 2,
  lowerOrderFinal: true,
  sigmaSchedule: "trained",
  useFlowSigmas: false,
  flowShift: 1,
} as const satisfies Partial<Settings>;

/** Whole timesteps for scheduled sigmas: rounded for Karras's, cut for exponential and beta ones. */
const ROUNDED_KARRAS: GridRule = {
  fractional: false,
  range: "table",
  finish: (timestep, { sigmaSchedule }) =>
    sigmaSchedule === "exponential" || sigmaSchedule === "beta"
      ? Math.trunc(timestep)
      : roundHalfEven(timestep),
  final: finalSigma,
};

/** The multistep solver cuts those of the cosine noise table too, as diffusers does. */
const WHOLE: GridRule = {
  ...ROUNDED_KARRAS,
  finish: (timestep, settings) =>
    settings.betaSchedule === "squaredcos_cap_v2"
      ? Math.trunc(timestep)
      : ROUNDED_KARRAS.finish(timestep, settings),
};

/** DEIS stays at the last scheduled sigma, or goes to the table's smallest. */
const repeatedSigma: GridRule["final"] = ({ sigmaSchedule }, { sigmas }, visited) =>
  sigmaSchedule === "trained" ? sigmas[0]! : visited.at(-1)!;

/** UniPC ends without noise, or as DEIS does. */
const lastOrTrainedSigma: GridRule["final"] = (settings, table, visited) =>
  settings.finalSigmasType === "zero" ? 0 : repeatedSigma(settings, table, visited);

/** DPMSolverMultistepScheduler: "DPM++ 2M" and "DPM++ 2M SDE", with Karras sigmas where asked. */
export const dpmMultistepRecipe: Recipe = {
  options: {
    ...LOG_SNR_OPTIONS,
    algorithmType: "dpmsolver++",
    solverType: "midpoint",
    eulerAtFinal: false,
    finalSigmasType: "zero",
    lambdaMinClipped: -Infinity,
    varianceType: null,
    rescaleBetasZeroSnr: false,
  },
  draft(settings, request) {
    const levels = preservingLevels(settings, request, WHOLE);
    const steps = levels.length - 1;
    return {
      ...draftOf(settings, basisOf(dpmAlgorithm(settings))),
      calls: dpmMultistep(levels, request.first, dpmMultistepOptions(settings, steps)),
    };
  },
};

/** DPMSolverSinglestepScheduler: spaces its timesteps linearly whatever the file says. */
export const dpmSinglestepRecipe: Recipe = {
  options: {
    ...omit(LOG_SNR_OPTIONS, "timestepSpacing", "stepsOffset"),
    algorithmType: "dpmsolver++",
    solverType: "midpoint",
    lowerOrderFinal: false,
    finalSigmasType: "zero",
    lambdaMinClipped: -Infinity,
    varianceType: null,
  },
  draft(settings, request) {
    const algorithm = dpmAlgorithm(settings);
    if (algorithm === "sde-dpmsolver") refuseThirdForm(algorithm, "dpmsolver++, sde-dpmsolver++");
    const levels = preservingLevels(settings, request, ROUNDED_KARRAS);
    const steps = levels.length - 1;
    const endsClean = settings.finalSigmasType === "zero";
    const lower = settings.lowerOrderFinal || endsClean || steps % settings.solverOrder !== 0;
    const orders = blockOrders(steps, settings.solverOrder, lower);
    return {
      ...draftOf(settings, basisOf(algorithm)),
      calls: dpmSinglestep(levels, request.first, {
        algorithm,
        midpoint: settings.solverType !== "heun",
        orders: endsClean ? orders.with(-1, 1) : orders,
      }),
    };
  },
};

/** DEISMultistepScheduler: ends at the smallest sigma, never at none. */
export const deisRecipe: Recipe = {
  options: LOG_SNR_OPTIONS,
  draft(settings, request) {
    const levels = preservingLevels(settings, request, { ...ROUNDED_KARRAS, final: repeatedSigma });
    const { solverOrder: order, lowerOrderFinal } = settings;
    const steps = levels.length - 1;
    const limit = (step: number) => lowerOrderFinal && steps < 15 ? steps - step : order;
    return {
      ...draftOf(settings, "epsilon"),
      calls: deis(levels, request.first, { order, limit }),
    };
  },
};

/** UniPCMultistepScheduler. */
export const uniPcRecipe: Recipe = {
  options: {
    ...LOG_SNR_OPTIONS,
    predictX0: true,
    solverType: "bh2",
    disableCorrector: [],
    finalSigmasType: "zero",
    rescaleBetasZeroSnr: false,
    sigmaMin: null,
    sigmaMax: null,
    shiftTerminal: null,
  },
  draft(settings, request) {
    const rule = { ...ROUNDED_KARRAS, final: lastOrTrainedSigma };
    const levels = settings.useFlowSigmas
      ? uniPcFlowLevels(settings, request)
      : preservingLevels(settings, request, rule);
    const { solverOrder: order, lowerOrderFinal, predictX0 } = settings;
    const steps = levels.length - 1;
    const draft = draftOf(settings, predictX0 ? "denoised" : "epsilon");
    // Remembering the noise, diffusers leaves estimates as they are.
    const { clipping: _, ...unclipped } = draft;
    return {
      ...(predictX0 ? draft : unclipped),
      calls: uniPc(levels, request.first, {
        order,
        bh1: settings.solverType === "bh1",
        predictX0,
        limit: (step) => lowerOrderFinal ? steps - step : order,
        uncorrected: settings.disableCorrector,
      }),
    };
  },
};

/** What the multistep form is told for a run of `steps` steps. */
export function dpmMultistepOptions(settings: Settings, steps: number): DpmMultistepOptions {
  const algorithm = dpmAlgorithm(settings);
  const { solverOrder: order, lowerOrderFinal, eulerAtFinal, finalSigmasType } = settings;
  if (algorithm === "sde-dpmsolver" && order > 2) {
    refuseThirdForm(`${algorithm} of order ${order}`, "order 1 or 2");
  }
  const fewSteps = lowerOrderFinal && steps < 15;
  const lastIsFirst = eulerAtFinal || fewSteps || finalSigmasType === "zero";
  return {
    algorithm,
    order,
    midpoint: settings.solverType !== "heun",
    limit(step) {
      if (step === steps - 1 && lastIsFirst) return 1;
      return step === steps - 2 && fewSteps ? 2 : order;
    },
  };
}

function refuseThirdForm(got: string, expected: string): never {
  throw new RangeError(
    `Cannot plan a run: this form of the solver is not known; got ${got}, expected ${expected}. ` +
      `Correct "algorithm_type" or "solver_order".`,
  );
}

/** What the drafts of this family share. */
function draftOf(settings: Settings, basis: Basis): Omit<Draft, "calls"> {
  return { basis, initialScale: 1, inputScale: asIs, ...clippingOf(settings) };
}

/** The algorithm that the settings name; "deis" is read as dpmsolver++, as diffusers does. */
export function dpmAlgorithm({ algorithmType, finalSigmasType }: Settings): DpmAlgorithm {
  switch (algorithmType) {
    case "deis":
      return "dpmsolver++";
    case "dpmsolver++":
    case "sde-dpmsolver++":
      return algorithmType;
    case "dpmsolver":
    case "sde-dpmsolver":
      if (finalSigmasType !== "zero") return algorithmType;
      throw new RangeError(
        `Cannot plan a run: ${algorithmType} remembers the noise, which is unknown where a run ` +
          `ends without any; got final_sigmas_type "zero", expected "sigma_min". ` +
          `Set it, or use ${algorithmType}++.`,
      );
    default:
      throw new RangeError(
        `Cannot plan a run: the algorithm is unknown; got "${algorithmType}", expected ` +
          `dpmsolver++, sde-dpmsolver++, dpmsolver or sde-dpmsolver. Correct "algorithm_type".`,
      );
  }
}

/** The levels of a run, one more than it has steps, where samples keep unit variance. */
function preservingLevels(settings: Settings, request: Request, rule: GridRule): Level[] {
  if (settings.useFlowSigmas) {
    const { numTrainTimesteps: trained, flowShift } = settings;
    const mixes = linspace(1, 1 / trained, request.steps + 1).map((alpha) => 1 - alpha).reverse();
    // The last mix is 0 already: the file's final sigma is about trained tables.
    return flowLevels(settings, request, shiftedFlowSigmas(mixes.slice(0, -1), flowShift), 0);
  }
  const { timesteps, sigmas } = sigmaGrid(settings, request, noiseTable(settings, true), rule);
  return sigmas.map((sigma, i) => variancePreserving(timesteps[i] ?? -1, sigma));
}

/** Levels of a flow model ("use_flow_sigmas"), where picture and noise are mixed linearly. */
function flowLevels(
  { numTrainTimesteps: trained, sigmaSchedule }: Settings,
  request: Request,
  sigmas: Float64Array,
  final: number,
): Level[] {
  if (sigmaSchedule !== "trained" || request.timesteps || request.sigmas) {
    throw new RangeError(
      `Cannot plan a run: flow sigmas are spaced by "flow_shift" alone; got another schedule or ` +
        `given timesteps too. Leave them out or set "use_flow_sigmas" to false.`,
    );
  }
  return Array.from(
    [...sigmas, final],
    (sigma) => flowMatching(Math.trunc(sigma * trained), Math.fround(sigma)),
  );
}

/** UniPC begins at pure noise, or just below it, where its solver has a step. */
function uniPcFlowLevels(settings: Settings, request: Request): Level[] {
  const { numTrainTimesteps: trained, flowShift, shiftTerminal, finalSigmasType } = settings;
  const mixes = linspace(1, 1 / trained, request.steps + 1).slice(0, -1);
  let sigmas = shiftedFlowSigmas(mixes, flowShift);
  if (shiftTerminal) sigmas = stretchTo(sigmas, shiftTerminal);
  if (Math.abs(sigmas[0]! - 1) < 1e-6) sigmas[0]! -= 1e-6;
  return flowLevels(settings, request, sigmas, finalSigmasType === "zero" ? 0 : sigmas.at(-1)!);
}

function omit<T extends object, K extends keyof T>(from: T, ...keys: readonly K[]): Omit<T, K> {
  const entries = Object.entries(from).filter(([key]) => !keys.includes(key as K));
  return Object.fromEntries(entries) as Omit<T, K>;
}
