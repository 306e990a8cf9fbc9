/**
 * `latent generate`: pictures from a prompt, given as words, as `--prompt`, or as lines of a file or
 * of standard input.
 *
 * @module
 */

import { type GenerateOptions, OptionError, randomSeed, StableDiffusion } from "../mod.ts";
import { DeadlineError, withDeadline } from "./deadline.ts";
import { draw } from "./drawing.ts";
import { milliseconds } from "./events.ts";
import { type FlagTable, type FlagValues, helpOf, parseFlags, UsageError } from "./flags.ts";
import {
  GENERATE_FLAGS,
  type GenerateFlags,
  generateOptions,
  openOptionsOf,
  picturesOf,
  schedulerOptionsOf,
} from "./generate_flags.ts";
import { openOutput, type Output } from "./output.ts";
import { draftOf, PREVIEW_FLAGS, wantsPreview } from "./preview.ts";
import { latentPreview } from "./preview_colors.ts";
import { type LineFlags, readPromptLine } from "./prompt_line.ts";
import { type PromptLine, promptsOf } from "./prompts.ts";
import { kindOf, messageOf, reportedRun, type Tally } from "./reported_run.ts";
import { type Reporter, reporterOf } from "./reporter.ts";
import { printTokens } from "./tokens.ts";

const { json, quiet, verbose, help, ...PICTURE_FLAGS } = GENERATE_FLAGS;

/** Flags of `latent generate`: those of every picture, and those of a run of many. */
export const GENERATE_COMMAND_FLAGS = {
  ...PICTURE_FLAGS,
  prompts: { kind: "text", value: "FILE", help: "prompts or JSON objects, one a line; or -" },
  timeout: { kind: "number", value: "SECONDS", range: [0, 1e6], help: "limit for each picture" },
  ...PREVIEW_FLAGS,
  tokens: { kind: "switch", help: "print the prompt's tokens with their weights, draw nothing" },
  json,
  quiet,
  verbose,
  help,
} as const satisfies FlagTable;

const HELP = `Usage: latent generate [PROMPT] [FLAGS]

Draws pictures from a prompt. Without a prompt, reads one a line from standard input and keeps the
model loaded. A line may be a JSON object with any of a picture's flags:
{"prompt": "a fox", "steps": 30, "seed": 7, "output": "fox.png"}

  latent generate "a red seven on a blue background" --output seven.png
  latent generate "a lighthouse at dawn" --model ./stable-diffusion-v1-5 --steps 30 --seed 42
  printf 'a red one\\na blue two\\n' | latent generate --output 'out/{index}.png'

`;

/** Runs `latent generate`. */
export async function generate(args: readonly string[]): Promise<number> {
  const { flags, positionals } = parseFlags(GENERATE_COMMAND_FLAGS, args);
  if (flags.help) {
    console.log(HELP + helpOf(GENERATE_COMMAND_FLAGS));
    return 0;
  }
  const prompts = await promptsOf(flags, positionals);
  if (flags.image === "-" && prompts.standardInput) {
    throw new UsageError("Standard input cannot be both the picture and the prompts.");
  }
  const openOptions = openOptionsOf(flags), count = Number(flags.count ?? 1n);
  const common: Common = {
    flags,
    pictures: await picturesOf(flags),
    output: await openOutput(flags.output ?? "latent-{seed}.png", count > 1 || !prompts.single),
  };
  schedulerOptionsOf(flags); // a mistake on the command line is found before the model is opened
  const { standardOutput: resultsOnStandardOutput } = common.output;
  const reporter = reporterOf({ ...flags, resultsOnStandardOutput, draft: await draftOf(flags) });
  const start = {
    command: "generate",
    ...(flags.model !== undefined && { model: flags.model }),
    ...(prompts.single && { pictures: count }),
  };
  return await reportedRun(reporter, start, async (signal, tally) => {
    reporter.stage("opening the model");
    await using sd = await StableDiffusion.open(flags.model, openOptions);
    const preview = wantsPreview(flags) ? latentPreview(sd) : undefined;
    const run = { sd, common, reporter, preview, signal, tally };
    for await (const line of prompts.lines) {
      let job: Job | undefined;
      try {
        job = await jobOf(common, line);
        if (flags.tokens) {
          printTokens(sd, sd.settings({ ...job.options, seed: job.seed }), flags);
          tally.pictures++;
          continue;
        }
        await drawJob(run, job);
      } catch (error) {
        // What a line asks for is its own mistake; what happens while drawing may be everyone's.
        const goesOn = line.line !== undefined && (job === undefined || isOfThePicture(error));
        if (!goesOn) throw error;
        tally.failed++;
        reporter.error({ message: messageOf(error), kind: kindOf(error), line: line.line });
      }
    }
    if (tally.pictures + tally.failed === 0) {
      throw new UsageError("No prompt: give one, or write one a line to standard input.");
    }
  });
}

/** What the command line gives to every picture. */
interface Common {
  readonly flags: FlagValues<typeof GENERATE_COMMAND_FLAGS>;
  readonly pictures: Pick<GenerateOptions, "image" | "mask" | "controls">;
  readonly output: Output;
}

/** A run under way. */
interface Run {
  readonly sd: StableDiffusion;
  readonly common: Common;
  readonly reporter: Reporter;
  readonly preview: ReturnType<typeof latentPreview> | undefined;
  readonly signal: AbortSignal;
  readonly tally: Tally;
}

/** The pictures that one line asks for: `count` of them, with seeds from `seed` on. */
interface Job {
  readonly options: Omit<GenerateOptions, "seed" | "signal">;
  readonly seed: bigint;
  readonly count: number;
  readonly output: Output;
  readonly line: number | undefined;
}

async function jobOf(common: Common, { text, line }: PromptLine): Promise<Job> {
  const own: LineFlags = line === undefined ? { prompt: text } : readPromptLine(text);
  const flags = { ...common.flags, ...own } as GenerateFlags;
  if (flags.prompt === undefined) throw new UsageError("The line has no prompt.");
  const options = {
    ...generateOptions(flags),
    ...await picturesFor(own, flags, common),
    schedulerOptions: schedulerOptionsOf(flags),
    prompt: flags.prompt,
  };
  const count = Number(flags.count ?? 1n), seed = flags.seed ?? BigInt(randomSeed());
  return { options, seed, count, output: await outputFor(own, count, common), line };
}

async function drawJob(run: Run, { options, seed, count, output, line }: Job): Promise<void> {
  const { common: { flags }, signal: outer } = run;
  for (let i = 0; i < count; i++) {
    await withDeadline(flags.timeout, outer, (signal) => {
      const one = { ...options, seed: seed + BigInt(i), signal };
      return drawAndSave(run, one, output, line);
    });
  }
}

/** The pictures that the line begins in, or those of the command line. */
async function picturesFor(own: LineFlags, flags: GenerateFlags, common: Common) {
  if (own.image === "-" || own.mask === "-") {
    throw new UsageError('A line\'s pictures are files; got "-".');
  }
  const named = ["image", "mask", "control-image", "control-scale"].some((name) => name in own);
  return named ? await picturesOf(flags) : common.pictures;
}

async function outputFor(own: LineFlags, count: number, common: Common): Promise<Output> {
  if (own.output === undefined) return common.output;
  if (own.output === "-") throw new UsageError('A line\'s output is a file; got "-".');
  return await openOutput(own.output, count > 1);
}

/** Draws one picture and saves it. */
async function drawAndSave(
  { sd, reporter, preview, tally }: Run,
  options: GenerateOptions & { readonly seed: bigint },
  output: Output,
  line: number | undefined,
): Promise<void> {
  const { prompt, seed } = options, picture = tally.pictures;
  const began = performance.now(), settings = sd.settings(options);
  const cut = sd.cutOff(settings);
  if (cut !== "") reporter.warning(`the prompt is too long; cut off: ${JSON.stringify(cut)}`);
  const image = await draw(sd, settings, { picture, reporter, preview });
  const path = await output.save(image, { index: picture, seed, prompt });
  tally.pictures++;
  const { width, height } = image, seconds = milliseconds((performance.now() - began) / 1000);
  const where = line === undefined ? {} : { line };
  reporter.image({ picture, path, seed, prompt, width, height, seconds, ...where });
}

/** Whether other pictures may well go better. */
function isOfThePicture(error: unknown): boolean {
  return error instanceof OptionError || error instanceof DeadlineError;
}
