import type { Findings } from "./metadata.ts";
import { numberOf, parseObject, restOf, seedOf, textOf } from "./metadata_json.ts";

const KNOWN = [
  ...["prompt", "negative_prompt", "seed", "steps", "sampler", "scheduler", "guidance_scale"],
  ...["resolution", "base_model", "clip_skip"],
];

/** What Fooocus adds to prompts or changes in sampling by itself. */
const UNREPEATED = ["styles", "sharpness", "adm_guidance", "refiner_model", "loras"];

/**
 * Fooocus's text `parameters` when it holds JSON (`fooocus_scheme` "fooocus"); its other scheme is
 * A1111's.
 */
export function readFooocus(texts: Readonly<Record<string, string>>): Findings | undefined {
  const said = parseObject(texts.parameters);
  if (said === undefined || !("base_model" in said || "fooocus_scheme" in texts)) return undefined;
  const [width, height] = (textOf(said.resolution) ?? "").match(/\d+/g) ?? [];
  const clipSkip = numberOf(said.clip_skip);
  return {
    source: "fooocus",
    prompt: textOf(said.prompt) ?? "",
    negativePrompt: textOf(said.negative_prompt) ?? "",
    seed: seedOf(said.seed),
    steps: numberOf(said.steps),
    scheduler: textOf(said.sampler),
    sigmaSchedule: textOf(said.scheduler),
    guidanceScale: numberOf(said.guidance_scale),
    width: numberOf(width),
    height: numberOf(height),
    clipSkip: clipSkip === undefined ? undefined : Math.max(0, clipSkip - 1),
    model: textOf(said.base_model),
    rng: "cpu",
    extra: restOf(said, KNOWN),
    warnings: UNREPEATED.filter((key) => isGiven(said[key]))
      .map((key) => `"${key}: ${textOf(said[key]) ?? JSON.stringify(said[key])}" is not repeated`),
  };
}

function isGiven(value: unknown): boolean {
  return value !== undefined && !["", "[]", "None"].includes(textOf(value) ?? "some");
}
