/**
 * The flags of `latent interpolate`, and the walk that they ask for.
 *
 * @module
 */

import { BATCH_FLAGS } from "./batches.ts";
import { EASINGS, type InterpolateOptions, MIXINGS } from "../mod.ts";
import { type FlagTable, type FlagValues, readInteger, UsageError } from "./flags.ts";
import {
  GENERATE_FLAGS,
  type GenerateFlags,
  generateOptions,
  picturesOf,
  schedulerOptionsOf,
} from "./generate_flags.ts";
import { PREVIEW_FLAGS } from "./preview.ts";

const {
  prompt: _prompt,
  seed: _seed,
  count: _count,
  output: _output,
  json,
  quiet,
  verbose,
  help,
  ...FRAME_FLAGS
} = GENERATE_FLAGS;

/** Flags of `latent interpolate`. */
export const INTERPOLATE_FLAGS = {
  from: { kind: "text", value: "TEXT", help: "the first frame's prompt" },
  to: { kind: "text", value: "TEXT", help: "the last frame's prompt (that of --from)" },
  prompt: {
    kind: "list",
    value: "TEXT",
    short: "p",
    help: "a prompt on the way, between --from and --to; may repeat",
  },
  seed: { kind: "list", value: "N", short: "s", help: "the first frame's seed; more on the way" },
  "to-seed": { kind: "integer", help: "the last frame's seed (that of --seed)" },
  "to-guidance-scale": { kind: "number", help: "the last frame's guidance scale" },
  frames: { kind: "integer", range: [1, 1e6], help: "pictures (24)" },
  fps: { kind: "number", range: [0.01, 1000], help: "frames a second, in animations (12)" },
  loop: { kind: "switch", help: "lead back to the first prompt and seed" },
  easing: { kind: "text", choices: EASINGS, help: "how each leg is walked" },
  perceptual: { kind: "switch", help: "space frames by how much the picture changes" },
  pilots: { kind: "integer", range: [2, 1e6], help: "pictures to measure that with (as --frames)" },
  "prompt-mixing": { kind: "text", choices: MIXINGS, help: "how prompts are mixed (linear)" },
  "noise-mixing": { kind: "text", choices: MIXINGS, help: "how noise is mixed (spherical)" },
  feedback: {
    kind: "number",
    value: "STRENGTH",
    range: [0, 1],
    help: "begin each frame in the one before, of which this is made anew",
  },
  ...FRAME_FLAGS,
  output: {
    kind: "text",
    value: "PATH",
    short: "o",
    help: "folder, FILE.gif, FILE.png (animated), FILE.y4m, FILE.rgb, or - for y4m",
  },
  timeout: { kind: "number", value: "SECONDS", range: [0, 1e6], help: "limit for each frame" },
  ...BATCH_FLAGS,
  ...PREVIEW_FLAGS,
  json,
  quiet,
  verbose,
  help,
} as const satisfies FlagTable;

/** Parsed {@linkcode INTERPOLATE_FLAGS}. */
export type InterpolateFlags = FlagValues<typeof INTERPOLATE_FLAGS>;

/** The flags that {@linkcode GENERATE_FLAGS} have as well, and mean the same. */
export function frameFlagsOf(flags: InterpolateFlags): GenerateFlags {
  const { prompt: _, seed: __, output: ___, ...shared } = flags;
  return shared as GenerateFlags;
}

/** The walk, but for its first prompt where that is missing. @throws {UsageError} */
export async function walkOptionsOf(
  flags: InterpolateFlags,
  positionals: readonly string[],
): Promise<InterpolateOptions> {
  const shared = frameFlagsOf(flags);
  const { guidanceScale, ...common } = generateOptions(shared);
  const to = flags["to-guidance-scale"];
  if (to !== undefined && guidanceScale === undefined) {
    throw new UsageError("--to-guidance-scale needs --guidance-scale, where it begins.");
  }
  return {
    ...common,
    ...await picturesOf(shared),
    schedulerOptions: schedulerOptionsOf(shared),
    prompts: promptsOf(flags, positionals),
    ...seedsOf(flags),
    ...(guidanceScale !== undefined && {
      guidanceScale: to === undefined ? guidanceScale : [guidanceScale, to],
    }),
    frames: Number(flags.frames ?? 24n),
    loop: flags.loop ?? false,
    ...(flags.easing && { easing: flags.easing }),
    spacing: flags.perceptual ? "perceptual" : "even",
    ...(flags.pilots !== undefined && { pilots: Number(flags.pilots) }),
    ...(flags["prompt-mixing"] && { promptMixing: flags["prompt-mixing"] }),
    ...(flags["noise-mixing"] && { noiseMixing: flags["noise-mixing"] }),
    ...(flags.feedback !== undefined && { feedback: flags.feedback }),
  };
}

function promptsOf(flags: InterpolateFlags, positionals: readonly string[]): string[] {
  if (positionals.length > 0) {
    throw new UsageError(
      `Prompts go behind --from, --prompt and --to; got ${JSON.stringify(positionals[0])}.`,
    );
  }
  const { from, prompt = [], to } = flags;
  const prompts = [
    ...(from === undefined ? [] : [from]),
    ...prompt,
    ...(to === undefined ? [] : [to]),
  ];
  if (prompts.length > 0) return prompts;
  throw new UsageError('No prompts. Try: latent interpolate --from "a red one" --to "a blue two"');
}

function seedsOf(flags: InterpolateFlags): Pick<InterpolateOptions, "seeds"> {
  const seeds = (flags.seed ?? []).map((text) =>
    readInteger(INTERPOLATE_FLAGS.seed, "--seed", text)
  );
  const last = flags["to-seed"];
  if (last !== undefined && seeds.length === 0) {
    throw new UsageError("--to-seed needs --seed, where it begins.");
  }
  return seeds.length === 0 ? {} : { seeds: last === undefined ? seeds : [...seeds, last] };
}
