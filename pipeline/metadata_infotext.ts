/**
 * The text of AUTOMATIC1111's web UI and those that write as it does: Forge, stable-diffusion.cpp.
 *
 * @module
 */

import type { Findings } from "./metadata.ts";
import { numberOf, seedOf } from "./metadata_json.ts";

/** A text taken apart. */
export interface Infotext {
  readonly prompt: string;
  readonly negativePrompt: string;
  /** The settings line by name, unquoted. */
  readonly fields: Readonly<Record<string, string>>;
}

const FIELD = /\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)/g;
const NEGATIVE = "Negative prompt:";

/** Fields that become members; every other one is kept under `extra`. */
const KNOWN = [
  ...["Steps", "Sampler", "Schedule type", "CFG scale", "CFG rescale", "Seed", "Size", "Model"],
  ...["Clip skip", "Eta", "RNG", "Version"],
];

/** Fields that changed the picture in a way that is not repeated. */
const UNREPEATED = [
  ...["Hires upscale", "Hires resize", "Hires steps", "Variation seed", "Seed resize from"],
  ...["Denoising strength", "Lora hashes", "TI hashes", "Tiling", "Refiner", "ENSD"],
  ...["ControlNet 0", "Token merging ratio", "Face restoration", "NGMS"],
];

/**
 * Takes the text apart: the last line is settings if it has at least three of them; of the rest,
 * what follows a line's "Negative prompt:" is that.
 */
export function parseInfotext(text: string): Infotext {
  const lines = text.trim().split("\n");
  const fields = fieldsOf(lines.at(-1)!);
  const hasFields = fields.length >= 3;
  const prompts = { positive: [] as string[], negative: [] as string[] };
  let part = prompts.positive;
  for (const raw of hasFields ? lines.slice(0, -1) : lines) {
    const line = raw.trim();
    if (line.startsWith(NEGATIVE)) part = prompts.negative;
    part.push(line.startsWith(NEGATIVE) ? line.slice(NEGATIVE.length).trim() : line);
  }
  return {
    prompt: prompts.positive.join("\n"),
    negativePrompt: prompts.negative.join("\n"),
    fields: hasFields ? Object.fromEntries(fields) : {},
  };
}

function fieldsOf(line: string): [string, string][] {
  return [...line.matchAll(FIELD)].map(([, key, value]) => [key!, unquoted(value!)]);
}

function unquoted(value: string): string {
  if (!value.startsWith('"') || !value.endsWith('"')) return value.trim();
  try {
    return String(JSON.parse(value));
  } catch {
    return value; // some write quotes of their own, as A1111 allows
  }
}

/** What such a text says; undefined if it says nothing. */
export function readInfotext(text: string): Findings | undefined {
  if (text.trim() === "") return undefined;
  const { prompt, negativePrompt, fields } = parseInfotext(text);
  const version = fields.Version ?? "";
  const source = version.startsWith("latent")
    ? "latent"
    : version.startsWith("stable-diffusion.cpp")
    ? "stable-diffusion.cpp"
    : "a1111";
  const [, width, height] = /^(\d+)x(\d+)$/.exec(fields.Size ?? "") ?? [];
  const clipSkip = numberOf(fields["Clip skip"]);
  return {
    source,
    prompt,
    negativePrompt,
    seed: seedOf(fields.Seed),
    steps: numberOf(fields.Steps),
    scheduler: fields.Sampler,
    sigmaSchedule: fields["Schedule type"],
    guidanceScale: numberOf(fields["CFG scale"]),
    guidanceRescale: numberOf(fields["CFG rescale"]),
    eta: numberOf(fields.Eta),
    width: numberOf(width),
    height: numberOf(height),
    clipSkip: clipSkip === undefined ? undefined : Math.max(0, clipSkip - 1),
    model: fields.Model,
    rng: generatorOf(fields.RNG),
    extra: Object.fromEntries(
      Object.entries(fields).filter(([key]) =>
        key === "Version" ? source !== "latent" : !KNOWN.includes(key)
      ),
    ),
    warnings: [
      ...(Object.keys(fields).length === 0 ? ["the text has no line of settings"] : []),
      ...UNREPEATED.filter((key) => fields[key] !== undefined)
        .map((key) => `"${key}: ${fields[key]}" changed the picture and is not repeated`),
    ],
  };
}

/** A1111 draws on the GPU unless it says otherwise ("NV" is the same numbers); so does sd.cpp. */
function generatorOf(name = "GPU"): "cpu" | "cuda" | "numpy" {
  if (/^numpy$/i.test(name)) return "numpy";
  return /^cpu$/i.test(name) ? "cpu" : "cuda";
}
