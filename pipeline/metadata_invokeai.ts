import type { Findings } from "./metadata.ts";
import { isObject, numberOf, parseObject, restOf, seedOf, textOf } from "./metadata_json.ts";

const KNOWN = [
  ...["positive_prompt", "negative_prompt", "seed", "steps", "scheduler", "cfg_scale"],
  ...["cfg_rescale_multiplier", "width", "height", "clip_skip", "model", "rand_device"],
];
const OLD_KNOWN = ["prompt", "seed", "steps", "sampler", "cfg_scale", "width", "height"];

/** InvokeAI's texts: `invokeai_metadata` since version 3, `sd-metadata` before. */
export function readInvokeAi(texts: Readonly<Record<string, string>>): Findings | undefined {
  const current = parseObject(texts.invokeai_metadata);
  if (current) return readCurrent(current);
  const old = parseObject(texts["sd-metadata"]);
  return old && isObject(old.image) ? readOld(old, old.image) : undefined;
}

function readCurrent(said: Readonly<Record<string, unknown>>): Findings {
  const { model } = said;
  return {
    source: "invokeai",
    prompt: textOf(said.positive_prompt) ?? "",
    negativePrompt: textOf(said.negative_prompt) ?? "",
    seed: seedOf(said.seed),
    steps: numberOf(said.steps),
    ...samplerOf(said.scheduler),
    guidanceScale: numberOf(said.cfg_scale),
    guidanceRescale: numberOf(said.cfg_rescale_multiplier),
    width: numberOf(said.width),
    height: numberOf(said.height),
    clipSkip: numberOf(said.clip_skip),
    model: isObject(model) ? textOf(model.name) ?? textOf(model.model_name) : textOf(model),
    rng: said.rand_device === "cuda" ? "cuda" : "cpu",
    extra: restOf(said, KNOWN),
    warnings: ["loras", "controlnets", "ipAdapters", "t2iAdapters", "strength", "init_image"]
      .filter((key) => isGiven(said[key]))
      .map((key) => `"${key}" changed the picture and is not repeated`),
  };
}

function readOld(
  whole: Readonly<Record<string, unknown>>,
  image: Readonly<Record<string, unknown>>,
): Findings {
  const { prompt, negativePrompt } = splitBrackets(oldPrompt(image.prompt));
  return {
    source: "invokeai",
    prompt,
    negativePrompt,
    seed: seedOf(image.seed),
    steps: numberOf(image.steps),
    ...samplerOf(image.sampler),
    guidanceScale: numberOf(image.cfg_scale),
    width: numberOf(image.width),
    height: numberOf(image.height),
    model: textOf(whole.model_weights) ?? textOf(whole.model),
    rng: "cpu",
    extra: {
      ...restOf(whole, ["image", "model_weights", "model"]),
      ...restOf(image, OLD_KNOWN),
    },
    warnings: image.type === "img2img" ? ["the run began in a picture: give it again"] : [],
  };
}

/** "euler_a", or with a "_k" behind it for Karras's sigmas. */
function samplerOf(value: unknown): Pick<Findings, "scheduler" | "sigmaSchedule"> {
  const name = textOf(value);
  const isKarras = name?.endsWith("_k") ?? false;
  return {
    scheduler: isKarras ? name!.slice(0, -2) : name,
    sigmaSchedule: isKarras ? "karras" : undefined,
  };
}

/** One text, or a list of texts with weights. */
function oldPrompt(value: unknown): string {
  if (!Array.isArray(value)) return textOf(value) ?? "";
  return value.map((item) => isObject(item) ? textOf(item.prompt) ?? "" : "").join(" ");
}

/** The negative prompt stood in brackets within the prompt. */
function splitBrackets(text: string): { prompt: string; negativePrompt: string } {
  const negative = [...text.matchAll(/\[([^\]]*)\]/g)].map(([, inner]) => inner!.trim());
  const prompt = text.replace(/\s*\[[^\]]*\]/g, "").trim();
  return { prompt, negativePrompt: negative.join(", ") };
}

function isGiven(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== null;
}
