import { linspace } from "../float32.ts";
import type { Level } from "../level.ts";
import type { Settings } from "../settings.ts";
import type { GridRule } from "../sigma_grid.ts";
import { shiftedFlowSigmas, stretchTo } from "../sigmas.ts";
import { uniPc } from "../solvers/unipc.ts";
import {
  draftOf,
  flowLevels,
  LOG_SNR_ALSO,
  LOG_SNR_OPTIONS,
  preservingLevels,
  repeatedSigma,
  ROUNDED_KARRAS,
  SPACING_OPTIONS,
} from "./log_snr.ts";
import type { Recipe, Request } from "./recipe.ts";

/** UniPC ends without noise, or as DEIS does. */
const lastOrTrainedSigma: GridRule["final"] = (settings, table, visited) =>
  settings.finalSigmasType === "zero" ? 0 : repeatedSigma(settings, table, visited);

/** UniPCMultistepScheduler. */
export const uniPcRecipe: Recipe = {
  options: {
    ...LOG_SNR_OPTIONS,
    ...SPACING_OPTIONS,
    predictX0: true,
    solverType: "bh2",
    disableCorrector: [],
    finalSigmasType: "zero",
    rescaleBetasZeroSnr: false,
    sigmaMin: null,
    sigmaMax: null,
    shiftTerminal: null,
  },
  also: LOG_SNR_ALSO,
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

/** UniPC begins at pure noise, or just below it, where its solver has a step. */
function uniPcFlowLevels(settings: Settings, request: Request): Level[] {
  const { numTrainTimesteps: trained, flowShift, shiftTerminal, finalSigmasType } = settings;
  const mixes = linspace(1, 1 / trained, request.steps + 1).slice(0, -1);
  let sigmas = shiftedFlowSigmas(mixes, flowShift);
  if (shiftTerminal) sigmas = stretchTo(sigmas, shiftTerminal);
  if (Math.abs(sigmas[0]! - 1) < 1e-6) sigmas[0]! -= 1e-6;
  return flowLevels(settings, request, sigmas, finalSigmasType === "zero" ? 0 : sigmas.at(-1)!);
}
