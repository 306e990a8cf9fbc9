/**
 * Options that change the U-Net itself.
 *
 * @module
 */

import type { GuidedPrompt } from "./noise_predictor.ts";
import type { Settings } from "./stable_diffusion.ts";

/** How the U-Net is changed, and what guidance keeps away from by such changes. */
export function changesOf(
  settings: Settings,
): Pick<GuidedPrompt, "variant" | "perturbations" | "selfAttentionScale"> {
  const { freeU, perturbedAttentionScale: attention = 0, skipLayerScale: skip = 0 } = settings;
  const { perturbedAttentionLayers = ["mid_block"], skippedLayers = ["mid_block"] } = settings;
  return {
    ...(freeU && { variant: { freeU } }),
    selfAttentionScale: settings.selfAttentionScale ?? 0,
    perturbations: [
      { variant: { identityAttention: perturbedAttentionLayers }, scale: attention },
      { variant: { skippedLayers }, scale: skip },
    ].filter(({ scale }) => scale !== 0),
  };
}
