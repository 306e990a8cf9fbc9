import type { Metadata, MetadataSource } from "./metadata.ts";
import { schedulerOf } from "./metadata_names.ts";
import type { GenerateOptions } from "./options.ts";

/** Options that mean something only beside a picture, which must be given anew. */
const NEEDS: Readonly<Record<"image" | "mask", readonly (keyof GenerateOptions)[]>> = {
  image: ["strength", "extend"],
  mask: ["maskBlur", "maskedPadding", "pasteBack"],
};

/**
 * The options that draw a picture again, with `changes` over them.
 *
 * From this program's record they are the very ones; from others' texts, those that are said. What
 * went in as a picture must be given anew in `changes`; without it, what belongs to it, such as
 * `strength`, is left out, too. What networks beside the U-Net are shown gets the recorded numbers.
 * Throws a RangeError if the scheduler is unknown and not changed.
 */
export function optionsFromMetadata(
  meta: Metadata,
  changes: Partial<GenerateOptions> = {},
): GenerateOptions {
  const options = recordedOptions(meta) ?? foreignOptions(meta, changes);
  const absent = changes.image === undefined
    ? [...NEEDS.image, ...NEEDS.mask]
    : changes.mask === undefined && !options.extend
    ? NEEDS.mask
    : [];
  const kept = Object.entries(options).filter(([option]) => !(absent as string[]).includes(option));
  return { ...Object.fromEntries(kept), ...changes, ...shownAgain(meta, changes) } as
    & GenerateOptions
    & Partial<GenerateOptions>;
}

/** Pictures of lists with the numbers that they had, where as many are given anew. */
function shownAgain(
  { record }: Metadata,
  changes: Partial<GenerateOptions>,
): Partial<GenerateOptions> {
  const lists = ["controls", "imagePrompts", "adapters"] as const;
  const merged = lists.flatMap((option) => {
    const given = changes[option], before = record?.settings[option];
    if (!given || given.length !== before?.length) return [];
    return [[option, given.map((one, i) => ({ ...before[i], ...one }))] as const];
  });
  return Object.fromEntries(merged);
}

/** The stored options, without those of which a part could not be stored. */
function recordedOptions({ record }: Metadata): GenerateOptions | undefined {
  if (record === undefined) return undefined;
  const { settings, pictures, omitted } = record;
  const incomplete = [...Object.keys(pictures), ...omitted].map((path) => path.split(".")[0]);
  return Object.fromEntries(
    Object.entries(settings).filter(([option]) => !incomplete.includes(option)),
  ) as unknown as GenerateOptions; // the prompt is a text, so it is never among the incomplete
}

/** Programs whose prompts are always read by A1111's grammar. */
const SAME_GRAMMAR: readonly MetadataSource[] = ["a1111", "stable-diffusion.cpp"];

function foreignOptions(meta: Metadata, changes: Partial<GenerateOptions>): GenerateOptions {
  const { prompt, negativePrompt, seed, steps, guidanceScale, guidanceRescale } = meta;
  const { width, height, clipSkip, rng } = meta;
  const named = meta.scheduler === undefined || changes.scheduler !== undefined
    ? undefined
    : schedulerOf(meta.scheduler, meta);
  const schedulerOptions = named?.overrides ?? {};
  const said = {
    negativePrompt: negativePrompt === "" ? undefined : negativePrompt,
    seed,
    steps,
    guidanceScale,
    guidanceRescale,
    width,
    height,
    clipSkip,
    rng: rng === "cpu" ? undefined : rng,
    promptSyntax: SAME_GRAMMAR.includes(meta.source) ? "a1111" : undefined,
    scheduler: named?.name,
    schedulerOptions: Object.keys(schedulerOptions).length === 0 ? undefined : schedulerOptions,
  };
  return {
    prompt,
    ...Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined)),
  };
}
