/**
 * From a picture's settings to what the U-Net is asked under, and how its answers are combined.
 *
 * @module
 */

import type { Plan } from "../schedulers/plan.ts";
import { editGuide, guideOf } from "./guide.ts";
import type { ImagePrompter } from "./image_prompts.ts";
import type { ModelParts } from "./model_parts.ts";
import { changesOf } from "./network_changes.ts";
import type { GuidedPrompt } from "./noise_predictor.ts";
import { asOption } from "./options.ts";
import { encodePrompts } from "./prompt_conditions.ts";
import { lorasOf, type LoraSwitch, type PromptedNetworks } from "./prompt_loras.ts";
import { type ParsedPrompt, readPrompt } from "./prompt_syntax.ts";
import { unetKind } from "./run_start.ts";
import type { Settings } from "./settings.ts";
import { timeIdsOf } from "./size_conditioning.ts";
import type { T2iAdapters } from "./t2i_adapters.ts";

/** What prompts are encoded with. */
export interface Encoders {
  readonly parts: ModelParts;
  readonly loras: LoraSwitch;
  readonly imagePrompter: ImagePrompter;
  readonly adapters: T2iAdapters;
}

/**
 * Encodes the prompts of a run. Guidance of at most 1 needs no negative one, unless `AND` composes
 * several; perpendicular guidance looks at the empty prompt, too.
 *
 * @throws {OptionError} for guidance that the plan cannot take.
 */
export async function guidedPrompt(
  settings: Settings,
  plan: Plan,
  { parts, loras, imagePrompter, adapters: t2iAdapters }: Encoders,
): Promise<{ networks: PromptedNetworks; prompt: GuidedPrompt }> {
  const { guidanceScale: scale, guidance = "cfg", imageGuidanceScale = 1.5 } = settings;
  const edits = unetKind(parts) === "edit";
  const { positive, against } = promptsOf(settings, parts, edits);
  const named = [positive, ...against].flatMap(lorasOf);
  const { networks, loras: fed } = await loras.networks(named, settings.loras);
  const { clipSkip, longPrompt, steps, signal } = settings, { conditioner } = networks;
  const encoding = { conditioner, loras: fed, clipSkip, longPrompt, steps, signal };
  const { width, height, controls = [], imagePrompts = [], adapters = [] } = settings;
  const shown = await imagePrompter.prepare(imagePrompts, signal);
  const features = await t2iAdapters.inputs(adapters, { width, height }, signal);
  const prompt = {
    at: await encodePrompts({ positive, against }, encoding),
    guide: edits
      ? editGuide(scale, imageGuidanceScale)
      : asOption("guidance", () => guideOf(guidance, scale, plan)),
    rescale: settings.guidanceRescale,
    interval: settings.guidanceInterval,
    timeIds: timeIdsOf(settings, parts),
    controls,
    ...changesOf(settings),
    stepCache: settings.stepCache,
    imagePrompts: shown.imagePrompts,
    loras: fed?.unet,
    loraKey: fed?.key,
    inputs: [...shown.inputs, ...features, ...(fed?.unet?.inputs ?? [])],
  };
  return { networks, prompt };
}

/** The prompt, and what guidance looks at beside it. */
function promptsOf(settings: Settings, parts: ModelParts, edits: boolean) {
  const { guidanceScale: scale, steps, promptSyntax, guidance = "cfg" } = settings;
  const read = (text: string) => readPrompt(text, promptSyntax, steps);
  const positive = settings.conditioning ?? read(settings.prompt);
  const isComposed = "composed" in positive &&
    (positive.composed.length > 1 || positive.composed[0]!.weight !== 1);
  const absent = settings.negativePrompt === undefined && parts.index.zeroEmptyNegative;
  const negative: ParsedPrompt | "zero" = absent ? "zero" : read(settings.negativePrompt ?? "");
  const isGuided = scale > 1 || guidance === "cfg++" || isComposed;
  const against = [
    ...(isGuided && guidance === "perp-neg" ? [read("")] : []),
    ...(isGuided && edits ? [negative] : []),
    ...(isGuided ? [negative] : []),
  ];
  return { positive, against };
}
