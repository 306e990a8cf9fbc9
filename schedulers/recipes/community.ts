import { dpmpp2mV2 } from "../solvers/dpmpp_2m_v2.ts";
import { gradientEstimation } from "../solvers/gradient_estimation.ts";
import { heunPp2 } from "../solvers/heunpp2.ts";
import { ipndmV } from "../solvers/ipndm_v.ts";
import type { Recipe } from "./recipe.ts";
import { CHURN_ALSO, churned, inSigmaSpace, SIGMA_ALSO, SIGMA_OPTIONS } from "./sigma_space.ts";

/** Samplers that user interfaces brought into use read what Euler reads. */
const OPTIONS = { ...SIGMA_OPTIONS, sigmaSchedule: "trained" } as const;

/** "heunpp2" of ComfyUI. */
export const heunPp2Recipe: Recipe = {
  options: OPTIONS,
  also: CHURN_ALSO,
  draft: inSigmaSpace("epsilon", (levels, first, settings) => {
    const run = levels.slice(first);
    return heunPp2(run, churned(run, settings));
  }),
};

/** "ipndm_v" of ComfyUI. */
export const ipndmVRecipe: Recipe = {
  options: OPTIONS,
  also: SIGMA_ALSO,
  draft: inSigmaSpace("epsilon", ipndmV),
};

/** "dpm++2mv2" of stable-diffusion.cpp. */
export const dpmpp2mV2Recipe: Recipe = {
  options: OPTIONS,
  also: SIGMA_ALSO,
  draft: inSigmaSpace("denoised", (levels, first) => dpmpp2mV2(levels.slice(first))),
};

/** "gradient_estimation" of ComfyUI. */
export const gradientEstimationRecipe: Recipe = {
  options: { ...OPTIONS, geGamma: 2 },
  also: SIGMA_ALSO,
  draft: inSigmaSpace(
    "epsilon",
    (levels, first, { geGamma }) => gradientEstimation(levels.slice(first), geGamma),
  ),
};
