import { deis } from "../solvers/deis.ts";
import {
  draftOf,
  LOG_SNR_ALSO,
  LOG_SNR_OPTIONS,
  preservingLevels,
  repeatedSigma,
  ROUNDED_KARRAS,
  SPACING_OPTIONS,
} from "./log_snr.ts";
import type { Recipe } from "./recipe.ts";

/** DEISMultistepScheduler: ends at the smallest sigma, never at none. */
export const deisRecipe: Recipe = {
  options: { ...LOG_SNR_OPTIONS, ...SPACING_OPTIONS },
  also: [...LOG_SNR_ALSO, "rescaleBetasZeroSnr"],
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
