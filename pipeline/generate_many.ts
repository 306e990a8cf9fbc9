/**
 * Many pictures, several of them in one run of the U-Net.
 *
 * @module
 */

import { gathered } from "./gathered.ts";
import { Image } from "./image.ts";
import { inStep, type Seat } from "./lockstep.ts";
import { type GenerateOptions, OptionError } from "./options.ts";
import { readPrompt } from "./prompt_syntax.ts";
import type { Settings } from "./settings.ts";
import type { StableDiffusion } from "./stable_diffusion.ts";

/** Options of {@linkcode StableDiffusion.generateMany}. */
export interface ManyOptions {
  /** How many are drawn in step, where successive ones can be. Default: `sd.batchSize`. */
  readonly batch?: number;
}

/** Options in which pictures of one batch may differ. */
const OWN: readonly (keyof GenerateOptions)[] = [
  ...["prompt", "negativePrompt", "promptSyntax", "longPrompt", "wildcards"] as const,
  ...["conditioning", "clipSkip", "seed", "rng", "ensd", "noise", "latents"] as const,
  ...["variationSeed", "variationStrength", "guidanceScale", "guidanceRescale"] as const,
  ...["imageGuidanceScale", "image", "mask", "maskBlur", "maskedPadding"] as const,
  ...[
    "pasteBack",
    "extend",
    "depth",
    "vaeTiling",
    "vaeTileSize",
    "metadata",
    "signal",
    "seat",
  ] as const,
];

/** Numbers for what has no text: solvers, tables. */
const identities = new WeakMap<object, number>();
let identitiesGiven = 0;

function identityOf(value: object): number {
  let identity = identities.get(value);
  if (identity === undefined) identities.set(value, identity = identitiesGiven++);
  return identity;
}

/**
 * What pictures must have in common to be drawn in step, by the name of the option, as texts: the
 * size, the sampler and its steps, whatever changes the networks.
 */
export function commonOptions(settings: Settings): ReadonlyMap<string, string> {
  const { prompt, negativePrompt = "", promptSyntax, guidanceScale, guidance } = settings;
  const loras = [prompt, negativePrompt].flatMap((text) => readPrompt(text, promptSyntax, 1).loras);
  const common = {
    ...Object.fromEntries(
      Object.entries(settings).filter(([option]) => !(OWN as readonly string[]).includes(option)),
    ),
    guidance: guidanceScale > 1 ? guidance ?? "cfg" : guidance === "cfg++" ? guidance : undefined,
    prompt: loras.length === 0 ? undefined : loras,
    // A run that begins in a picture makes a part of the steps.
    image: (settings.image ?? settings.latents) !== undefined || undefined,
    mask: (settings.mask ?? settings.extend) !== undefined || undefined,
  };
  const texts = Object.entries(common).filter(([, value]) => value !== undefined);
  return new Map(texts.map(([option, value]) => [option, textOf(value)]));
}

/** JSON without pictures, in which pictures may differ. */
function textOf(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (part instanceof Image) return undefined;
    if (typeof part === "bigint") return String(part);
    return typeof part === "function" || ArrayBuffer.isView(part) ? identityOf(part) : part;
  });
}

/** The options that keep two pictures from being drawn in step; none where nothing does. */
export function optionsApart(a: Settings, b: Settings): string[] {
  const [one, other] = [commonOptions(a), commonOptions(b)];
  const options = new Set([...one.keys(), ...other.keys()]);
  return [...options].filter((option) => one.get(option) !== other.get(option));
}

/**
 * Draws pictures, up to `batch` successive ones in step, and yields what came of each, in order. One
 * that fails does not keep the others from being drawn.
 *
 * @throws {OptionError} for a `batch` with a precision in which a picture is not what it is alone.
 */
export async function* generateMany(
  sd: StableDiffusion,
  pictures: Iterable<GenerateOptions> | AsyncIterable<GenerateOptions>,
  { batch }: ManyOptions = {},
): AsyncGenerator<PromiseSettledResult<Image>, void, void> {
  if (batch !== undefined && batch > 1 && !sd.canBatch) {
    throw new OptionError(
      "batch",
      "Cannot draw pictures in step with precision int8: they would share the scales of their " +
        `activations, and depend on one another; got a batch of ${batch}. Leave it out.`,
    );
  }
  const groups = gathered(settled(sd, pictures), {
    size: (first) => first.status === "rejected" ? 1 : batch ?? sd.batchSize(first.value),
    joins: ([first], next) =>
      first!.status === "fulfilled" && next.status === "fulfilled" &&
      optionsApart(first!.value, next.value).length === 0,
  });
  for await (const group of groups) {
    const draws = [];
    for (const each of group) {
      if (each.status === "rejected") yield each;
      else draws.push((seat?: Seat) => sd.generate({ ...each.value, seat }));
    }
    yield* await inStep(draws);
  }
}

/** The settings of each picture, or why it has none. */
async function* settled(
  sd: StableDiffusion,
  pictures: Iterable<GenerateOptions> | AsyncIterable<GenerateOptions>,
): AsyncGenerator<PromiseSettledResult<Settings>, void, void> {
  for await (const options of pictures) {
    let result: PromiseSettledResult<Settings>;
    try {
      result = { status: "fulfilled", value: sd.settings(options) };
    } catch (reason) {
      result = { status: "rejected", reason };
    }
    yield result;
  }
}
