import type { Findings } from "./metadata.ts";
import { isObject, numberOf, parseObject, restOf, seedOf, textOf } from "./metadata_json.ts";

const KNOWN = [
  ...["prompt", "uc", "steps", "seed", "scale", "cfg_rescale", "width", "height", "sampler"],
  ...["noise_schedule"],
];

/**
 * NovelAI's texts: `Software`, `Description` (the prompt), `Source` (the model), and `Comment` with
 * JSON of the settings, in which `uc` is the negative prompt.
 */
export function readNovelAi(texts: Readonly<Record<string, string>>): Findings | undefined {
  const comment = parseObject(texts.Comment);
  if (comment === undefined) return undefined;
  if (texts.Software !== "NovelAI" && !("uc" in comment && "sampler" in comment)) return undefined;
  return {
    source: "novelai",
    prompt: textOf(comment.prompt) ?? captionOf(comment.v4_prompt) ?? texts.Description ?? "",
    negativePrompt: textOf(comment.uc) ?? captionOf(comment.v4_negative_prompt) ?? "",
    seed: seedOf(comment.seed),
    steps: numberOf(comment.steps),
    scheduler: textOf(comment.sampler),
    sigmaSchedule: textOf(comment.noise_schedule),
    guidanceScale: numberOf(comment.scale),
    guidanceRescale: numberOf(comment.cfg_rescale),
    width: numberOf(comment.width),
    height: numberOf(comment.height),
    model: texts.Source,
    extra: restOf(comment, KNOWN),
    warnings: ["NovelAI's own models and random numbers are not public"],
  };
}

/** The text of the fourth model's structured prompts. */
function captionOf(prompt: unknown): string | undefined {
  if (!isObject(prompt) || !isObject(prompt.caption)) return undefined;
  return textOf(prompt.caption.base_caption);
}
