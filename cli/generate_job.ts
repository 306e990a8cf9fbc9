/**
 * What is to be drawn for one prompt: the command line's flags, and the line's own over them.
 *
 * @module
 */

import { type GenerateOptions, type Metadata, optionsFromMetadata, randomSeed } from "../mod.ts";
import { UsageError } from "./flags.ts";
import { BESIDE_PICTURE_FLAGS } from "./beside_flags.ts";
import {
  type GenerateFlags,
  generateOptions,
  picturesOf,
  schedulerOptionsOf,
} from "./generate_flags.ts";
import { openOutput, type Output } from "./output.ts";
import type { LineFlags } from "./prompt_line.ts";

/** What the command line gives to every picture. */
export interface Common {
  readonly flags: GenerateFlags;
  /** A picture whose settings stand where no flag says otherwise. */
  readonly replay?: Metadata | undefined;
  /** The pictures of the command line, loaded once. */
  readonly pictures: Partial<GenerateOptions>;
  readonly output: Output;
}

/** The pictures that one line asks for: `count` of them, with seeds from `seed` on. */
export interface Job {
  readonly options: Omit<GenerateOptions, "seed" | "signal">;
  readonly seed: bigint;
  readonly count: number;
  readonly output: Output;
}

/** Puts a line's flags over the command line's. @throws {UsageError} where they do not fit. */
export async function jobOf(common: Common, own: LineFlags): Promise<Job> {
  const flags = { ...common.flags, ...own } as GenerateFlags;
  if (flags.prompt === undefined) throw new UsageError("The line has no prompt.");
  const { replay } = common;
  const asked = {
    ...generateOptions(flags),
    ...await picturesFor(own, flags, common),
    prompt: flags.prompt,
  };
  const schedulerOptions = schedulerOptionsOf(flags);
  const isOther = flags.scheduler !== undefined || Object.keys(schedulerOptions).length > 0;
  const changes = { ...asked, ...((isOther || !replay) && { schedulerOptions }) };
  const options = replay ? optionsFromMetadata(replay, changes) : changes;
  const count = Number(flags.count ?? 1n);
  const seed = flags.seed ?? BigInt(replay?.seed ?? randomSeed());
  return { options, seed, count, output: await outputFor(own, count, common) };
}

/** The pictures that the line begins in, or those of the command line. */
async function picturesFor(own: LineFlags, flags: GenerateFlags, common: Common) {
  if (own.image === "-" || own.mask === "-") {
    throw new UsageError('A line\'s pictures are files; got "-".');
  }
  const pictures = ["image", "mask", "depth", "like", ...Object.keys(BESIDE_PICTURE_FLAGS)];
  const named = pictures.some((name) => name in own);
  return named ? await picturesOf(flags) : common.pictures;
}

async function outputFor(own: LineFlags, count: number, common: Common): Promise<Output> {
  if (own.output === undefined) return common.output;
  if (own.output === "-") throw new UsageError('A line\'s output is a file; got "-".');
  return await openOutput(own.output, count > 1);
}
