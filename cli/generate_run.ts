/**
 * The pictures of `latent generate`, from what is asked for to what is saved.
 *
 * @module
 */

import {
  type Image,
  OptionError,
  OutOfMemoryError,
  type Settings,
  type StableDiffusion,
} from "../mod.ts";
import { DeadlineError } from "./deadline.ts";
import { type Drawing, drawTogether } from "./drawing.ts";
import { milliseconds } from "./events.ts";
import { type Common, type Job, jobOf } from "./generate_job.ts";
import type { Output } from "./output.ts";
import type { LineFlags } from "./prompt_line.ts";
import { kindOf, messageOf, type Tally } from "./reported_run.ts";
import type { Reporter } from "./reporter.ts";
import type { Sheet } from "./sheet.ts";
import { printTokens } from "./tokens.ts";

/** What one line asks for; reading it may fail. */
export interface Asked {
  readonly read: () => LineFlags;
  /** From 1; absent where the command line asks. */
  readonly line?: number | undefined;
}

/** A run under way. */
export interface Run {
  /** Of the first device; the others are as it is. */
  readonly sd: StableDiffusion;
  readonly common: Common;
  readonly flags: {
    readonly timeout?: number;
    readonly tokens?: boolean;
    readonly json?: boolean;
  };
  readonly reporter: Reporter;
  readonly preview: Drawing["preview"];
  readonly sheet: Sheet | undefined;
  readonly signal: AbortSignal;
  readonly tally: Tally;
  /** Lines of which a picture could not be drawn. */
  readonly failedLines: Set<number>;
  /** Pictures that were begun. */
  begun: number;
}

/** A picture that is asked for. */
export interface Picture {
  readonly settings: Settings;
  readonly output: Output;
  readonly line: number | undefined;
}

/** Why one cannot be drawn. */
export interface Failure {
  readonly error: unknown;
  readonly line: number | undefined;
  /** Whether the run goes on. */
  readonly isOfTheLine: boolean;
}

/** What comes of being asked for a picture. */
export type Entry = Picture | Failure;

/** The pictures that are asked for, one by one; of a line that failed no more. */
export async function* entriesOf(
  run: Run,
  requests: AsyncIterable<Asked> | Iterable<Asked>,
): AsyncGenerator<Entry, void, void> {
  const { sd, common, flags, tally, failedLines } = run;
  for await (const { read, line } of requests) {
    let job: Job | undefined;
    try {
      job = await jobOf(common, read());
      if (flags.tokens) {
        printTokens(sd, sd.settings({ ...job.options, seed: job.seed }), flags);
        tally.pictures++;
        continue;
      }
      for (let i = 0; i < job.count && !failedLines.has(line ?? 0); i++) {
        const settings = sd.settings({ ...job.options, seed: job.seed + BigInt(i) });
        yield { settings, output: job.output, line };
      }
    } catch (error) {
      // What a line asks for is its own mistake; what happens later may be everyone's.
      yield { error, line, isOfTheLine: job === undefined || error instanceof OptionError };
    }
  }
}

/**
 * Draws pictures in step on one device and saves them in order; a line's own mistakes are told, and
 * we go on.
 */
export async function serve(
  run: Run,
  sd: StableDiffusion,
  entries: readonly Entry[],
): Promise<void> {
  const { flags: { timeout }, reporter, preview, signal } = run, first = run.begun;
  const pictures = entries.filter((entry) => "settings" in entry);
  for (const { settings } of pictures) {
    const cut = sd.cutOff(settings);
    if (cut !== "") reporter.warning(`the prompt is too long; cut off: ${JSON.stringify(cut)}`);
  }
  const settings = pictures.map((picture) => picture.settings);
  run.begun += pictures.length;
  const drawing = { first, timeout, signal, reporter, preview };
  const drawn = await drawTogether(sd, settings, drawing);
  const fatal: unknown[] = [];
  for (const entry of entries) {
    if (!("settings" in entry)) {
      fatal.push(...fail(run, entry));
      continue;
    }
    const i = pictures.indexOf(entry), { result, seconds } = drawn[i]!, { line } = entry;
    if (result.status === "fulfilled") {
      await save(run, entry, { image: result.value, picture: first + i, seconds });
    } else {
      const { reason: error } = result;
      const kinds = [OptionError, DeadlineError, OutOfMemoryError];
      const isOfTheLine = kinds.some((kind) => error instanceof kind);
      fatal.push(...fail(run, { error, line, isOfTheLine }));
    }
  }
  if (fatal.length > 0) throw fatal[0];
}

/** Tells of a failure; returns its error where the run cannot go on. */
function fail({ tally, reporter, failedLines }: Run, failure: Failure): unknown[] {
  const { error, line, isOfTheLine } = failure;
  if (line === undefined || !isOfTheLine) return [error];
  if (!failedLines.has(line)) tally.failed++;
  failedLines.add(line);
  reporter.error({ message: messageOf(error), kind: kindOf(error), line });
  return [];
}

/** Saves a picture and tells of it. */
async function save(
  { reporter, sheet, tally }: Run,
  { settings: { prompt, seed }, output, line }: Picture,
  { image, picture, seconds }: {
    readonly image: Image;
    readonly picture: number;
    readonly seconds: number;
  },
): Promise<void> {
  const began = performance.now();
  const path = await output.save(image, { index: picture, seed, prompt });
  sheet?.add(image, line === undefined ? `seed ${seed}` : `${prompt} (seed ${seed})`);
  tally.pictures++;
  const { width, height } = image;
  const took = milliseconds(seconds + (performance.now() - began) / 1000);
  const where = line === undefined ? {} : { line };
  reporter.image({ picture, path, seed, prompt, width, height, seconds: took, ...where });
}
