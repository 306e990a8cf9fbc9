/**
 * `latent generate`: pictures from a prompt, given as words, as `--prompt`, or as lines of a file or
 * of standard input.
 *
 * @module
 */

import { extname } from "node:path";
import { randomSeed } from "../mod.ts";
import { BATCH_FLAGS, batchesOf } from "./batches.ts";
import { openDevices, shared } from "./devices.ts";
import { type FlagTable, type FlagValues, parseFlags, UsageError } from "./flags.ts";
import {
  GENERATE_FLAGS,
  generateOptions,
  openOptionsOf,
  picturesOf,
  schedulerOptionsOf,
} from "./generate_flags.ts";
import type { Common } from "./generate_job.ts";
import { type Asked, entriesOf, type Entry, serve } from "./generate_run.ts";
import { openOutput, type Output } from "./output.ts";
import { helpText, type Page } from "./page.ts";
import { type Plot, plotLines, plotOf } from "./plot.ts";
import { draftOf, PREVIEW_FLAGS, previewerOf, previewNetworks } from "./preview.ts";
import { readPromptLine } from "./prompt_line.ts";
import { devicesOf } from "./provider_flags.ts";
import { type Prompts, promptsOf } from "./prompts.ts";
import { openedAs, recordOf } from "./replay.ts";
import { reportedRun } from "./reported_run.ts";
import { reporterOf } from "./reporter.ts";
import { openSheet } from "./sheet.ts";
import { print } from "./standard_output.ts";

const { json, quiet, verbose, help, ...PICTURE_FLAGS } = GENERATE_FLAGS;

/** Flags of `latent generate`: those of every picture, and those of a run of many. */
const GENERATE_COMMAND_FLAGS = {
  ...PICTURE_FLAGS,
  prompts: { kind: "text", value: "FILE", help: "prompts or JSON objects, one a line; or -" },
  timeout: { kind: "number", value: "SECONDS", range: [0, 1e6], help: "limit for each picture" },
  ...BATCH_FLAGS,
  grid: { kind: "text", value: "FILE", help: "all pictures on one sheet; others with --output" },
  "plot-x": { kind: "text", value: "FLAG=A,B,C", help: "on the sheet, a column for each value" },
  "plot-y": { kind: "text", value: "FLAG=A,B,C", help: "on the sheet, a row for each value" },
  ...PREVIEW_FLAGS,
  tokens: { kind: "switch", help: "print the prompt's tokens with their weights, draw nothing" },
  json,
  from: {
    kind: "text",
    value: "FILE",
    help: "picture whose settings are taken where no flag says",
  },
  quiet,
  verbose,
  help,
} as const satisfies FlagTable;

type Flags = FlagValues<typeof GENERATE_COMMAND_FLAGS>;

/** Help of `latent generate`. */
export const GENERATE_PAGE: Page = {
  usage: "generate [PROMPT] [FLAGS]",
  text: [
    "Draws pictures from a prompt. Without a prompt, reads one a line from standard input and " +
    "keeps the model loaded. A line may be a JSON object with any of a picture's flags: " +
    `{"prompt": "a fox", "steps": 30, "seed": 7, "output": "fox.png"}`,
  ],
  examples: [
    'latent generate "a red seven on a blue background" --output seven.png',
    'latent generate "a lighthouse at dawn" --model ./stable-diffusion-v1-5 --steps 30 --seed 42',
    "printf 'a red one\\na blue two\\n' | latent generate --output 'out/{index}.png'",
    'latent generate "an eight" --plot-x steps=10,20 --plot-y guidance-scale=2,5,8 --grid plot.png',
    'latent generate "a green eight" --output - | latent generate "a three" --image - -o three.png',
  ],
  flags: GENERATE_COMMAND_FLAGS,
  words: ["text"],
};

/** Runs `latent generate`. */
export async function generate(args: readonly string[]): Promise<number> {
  const { flags, positionals } = parseFlags(GENERATE_COMMAND_FLAGS, args);
  if (flags.help) {
    print(helpText(GENERATE_PAGE));
    return 0;
  }
  const replay = flags.from === undefined ? undefined : await recordOf(flags.from, "replay");
  const prompt = flags.prompt ?? (positionals.length === 0 ? replay?.prompt : undefined);
  const prompts = await promptsOf(
    { ...flags, ...(prompt !== undefined && { prompt }) },
    positionals,
  );
  const plot = plotOf(flags);
  checkCombination(flags, prompts, plot);
  const { path: model = flags.model, ...opened } = flags.model === undefined
    ? replay?.record?.model ?? {}
    : {};
  const count = Number(flags.count ?? 1n);
  // A mistake on the command line is found before the model is opened; lines may yet add to flags.
  if (prompts.single) generateOptions(flags);
  schedulerOptionsOf(flags);
  const requests = plot ? plotRequests(flags, prompts, plot) : requestsOf(prompts);
  const sheet = flags.grid === undefined ? undefined : await openSheet(flags.grid, plot);
  const common: Common = {
    flags,
    replay,
    pictures: await picturesOf(flags),
    output: await outputOf(flags, { several: count > 1, sameSeeds: !prompts.single || !!plot }),
  };
  const resultsOnStandardOutput = common.output.standardOutput || sheet?.standardOutput;
  const reporter = reporterOf({ ...flags, resultsOnStandardOutput, draft: await draftOf(flags) });
  const { device: _, ...withoutDevice } = flags;
  const openOptions = {
    ...openedAs(opened),
    ...openOptionsOf(withoutDevice, reporter),
    ...previewNetworks(flags),
  };
  const start = {
    command: "generate",
    ...(flags.model !== undefined && { model: flags.model }),
    ...(prompts.single && { pictures: Array.isArray(requests) ? requests.length * count : count }),
  };
  return await reportedRun(reporter, start, async (signal, tally) => {
    reporter.stage("opening the model");
    await using devices = await openDevices(model, openOptions, devicesOf(flags));
    const [sd] = devices.all, preview = previewerOf(flags, sd);
    const failedLines = new Set<number>();
    const run = {
      ...{ sd, common, flags, reporter, preview, sheet, signal, tally },
      ...{ failedLines, begun: 0 },
    };
    const pictures = entriesOf(run, requests);
    const live = prompts.standardInput;
    const settingsOf = (entry: Entry) => "settings" in entry ? entry.settings : undefined;
    const batches = batchesOf(pictures, { sd, batch: flags.batch, settingsOf, live, reporter });
    await shared(devices.all, batches, (device, batch) => serve(run, device, batch));
    if (tally.pictures + tally.failed === 0) {
      throw new UsageError("No prompt: give one, or write one a line to standard input.");
    }
    const written = await sheet?.write();
    if (written !== undefined) reporter.sheet({ path: written, pictures: tally.pictures });
  });
}

async function* requestsOf(prompts: Prompts): AsyncGenerator<Asked> {
  for await (const { text, line } of prompts.lines) {
    const read = () => line === undefined ? { prompt: text } : readPromptLine(text);
    yield { read, line };
  }
}

/** All pictures of a plot, of one seed unless that is an axis. */
function plotRequests(flags: Flags, prompts: Prompts, plot: Plot): Asked[] {
  const [prompt] = prompts.single ? [...prompts.lines as Iterable<{ text: string }>] : [];
  const common = { prompt: prompt?.text, seed: flags.seed ?? BigInt(randomSeed()) };
  return plotLines(plot).map((own) => ({ read: () => ({ ...common, ...own }) }));
}

function checkCombination(flags: Flags, prompts: Prompts, plot: Plot | undefined): void {
  if (flags.image === "-" && prompts.standardInput) {
    throw new UsageError("Standard input cannot be both the picture and the prompts.");
  }
  if (flags.grid === "-" && flags.output !== undefined) {
    throw new UsageError("--grid - takes standard output for itself; give it no --output.");
  }
  if (!plot) return;
  if (flags.grid === undefined) throw new UsageError("--plot-x and --plot-y need --grid FILE.");
  if (!prompts.single) throw new UsageError("A plot is of one prompt; give it as words.");
  if ((flags.count ?? 1n) > 1n) throw new UsageError("A plot has no --count; plot seed=1,2,3.");
}

/** Where pictures go by themselves; beside a sheet, nowhere unless it is said. */
async function outputOf(
  flags: Flags,
  { several, sameSeeds }: { readonly several: boolean; readonly sameSeeds: boolean },
): Promise<Output> {
  const { output: target, grid } = flags;
  if (target === undefined && grid !== undefined) {
    return { standardOutput: false, save: () => Promise.resolve(grid) };
  }
  if (target === undefined) {
    return await openOutput(sameSeeds ? "latent-{index}-{seed}.png" : "latent-{seed}.png", several);
  }
  // Lines may well have one seed: the index keeps their pictures apart.
  const isPlain = extname(target) !== "" && !/[\\/]$|\{/.test(target);
  const extension = extname(target);
  const apart = `${target.slice(0, target.length - extension.length)}-{index}${extension}`;
  return await openOutput(sameSeeds && isPlain ? apart : target, several);
}
