/**
 * Options that change the U-Net itself.
 *
 * @module
 */

import type { GuidedPrompt } from "./noise_predictor.ts";
import { type GenerateOptions, OptionError } from "./options.ts";
import type { Settings } from "./settings.ts";
import { isWithin } from "../models/unet_variant.ts";

/** Whether the layers that options name are there; `names` are the U-Net's tensors. */
export function checkLayers(options: GenerateOptions, names: Iterable<string>): void {
  const wanted = (["perturbedAttentionLayers", "skippedLayers"] as const)
    .flatMap((option) => (options[option] ?? []).map((layer) => ({ option, layer })));
  if (wanted.length === 0) return;
  const attention = [...names].filter((name) => /\battentions\b/.test(name));
  for (const { option, layer } of wanted) {
    if (attention.some((name) => isWithin(name, [layer]))) continue;
    throw new OptionError(
      option,
      `Cannot generate: the U-Net has no attention in ${layer}; expected a name such as ` +
        "mid_block or up_blocks.1.attentions.0.",
    );
  }
}

/** How the U-Net is changed, and what guidance keeps away from by such changes. */
export function changesOf(
  settings: Settings,
): Pick<GuidedPrompt, "variant" | "perturbations" | "selfAttentionScale"> {
  const { perturbedAttentionScale: attention = 0, skipLayerScale: skip = 0 } = settings;
  const { freeU, tokenMerging } = settings;
  const variant = { ...(freeU && { freeU }), ...(tokenMerging && { tokenMerging }) };
  const { perturbedAttentionLayers = ["mid_block"], skippedLayers = ["mid_block"] } = settings;
  return {
    ...(Object.keys(variant).length > 0 && { variant }),
    selfAttentionScale: settings.selfAttentionScale ?? 0,
    perturbations: [
      { variant: { identityAttention: perturbedAttentionLayers }, scale: attention },
      { variant: { skippedLayers }, scale: skip },
    ].filter(({ scale }) => scale !== 0),
  };
}
