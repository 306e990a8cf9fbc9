import { linspace, roundHalfEven } from "../float32.ts";
import { flowMatching, type Level, variancePreserving } from "../level.ts";
import { noiseTable } from "../noise_table.ts";
import type { Basis } from "../plan.ts";
import type { Settings } from "../settings.ts";
import { finalSigma, type GridRule, sigmaGrid } from "../sigma_grid.ts";
import { shiftedFlowSigmas } from "../sigmas.ts";
import { asIs, clippingOf, type Draft, type Request } from "./recipe.ts";

/** Options that the solvers in log signal-to-noise ratio share. */
export const LOG_SNR_OPTIONS = {
  thresholding: false,
  dynamicThresholdingRatio: 0.995,
  sampleMaxValue: 1,
  solverOrder: 2,
  lowerOrderFinal: true,
  sigmaSchedule: "trained",
  useFlowSigmas: false,
  flowShift: 1,
} as const satisfies Partial<Settings>;

/** Options of those that space timesteps as the file says. */
export const SPACING_OPTIONS = {
  timestepSpacing: "linspace",
  stepsOffset: 0,
} as const satisfies Partial<Settings>;

/** What they can be told although no file of diffusers says it. */
export const LOG_SNR_ALSO = [
  "clipSample",
  "clipSampleRange",
  "sigmaMin",
  "sigmaMax",
  "lambdaMinClipped",
] as const satisfies readonly (keyof Settings)[];

/** Whole timesteps for scheduled sigmas: rounded for Karras's, cut for exponential and beta ones. */
export const ROUNDED_KARRAS: GridRule = {
  fractional: false,
  range: "table",
  finish: (timestep, { sigmaSchedule }) =>
    sigmaSchedule === "exponential" || sigmaSchedule === "beta"
      ? Math.trunc(timestep)
      : roundHalfEven(timestep),
  final: finalSigma,
};

/** DEIS stays at the last scheduled sigma, or goes to the table's smallest. */
export const repeatedSigma: GridRule["final"] = ({ sigmaSchedule }, { sigmas }, visited) =>
  sigmaSchedule === "trained" ? sigmas[0]! : visited.at(-1)!;

/** What the drafts of this family share. */
export function draftOf(settings: Settings, basis: Basis): Omit<Draft, "calls"> {
  return { basis, initialScale: 1, inputScale: asIs, ...clippingOf(settings) };
}

/** The levels of a run, one more than it has steps, where samples keep unit variance. */
export function preservingLevels(settings: Settings, request: Request, rule: GridRule): Level[] {
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
export function flowLevels(
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
