/**
 * `latent interpolate`: pictures on the way from one prompt and seed to others.
 *
 * @module
 */

import { Frame, type FramePlan, type Image, StableDiffusion, Walk } from "../mod.ts";
import { batchesOf } from "./batches.ts";
import { drawTogether } from "./drawing.ts";
import { milliseconds } from "./events.ts";
import { parseFlags } from "./flags.ts";
import { openOptionsOf } from "./generate_flags.ts";
import {
  frameFlagsOf,
  INTERPOLATE_FLAGS,
  type InterpolateFlags,
  walkOptionsOf,
} from "./interpolate_flags.ts";
import { type FrameOutput, openFrameOutput } from "./interpolate_output.ts";
import { helpText, type Page } from "./page.ts";
import { draftOf, previewerOf, previewNetworks } from "./preview.ts";
import { reportedRun, type Tally } from "./reported_run.ts";
import { reporterOf } from "./reporter.ts";
import { OPENING_FLAGS } from "./run_flags.ts";
import { print } from "./standard_output.ts";

/** Help of `latent interpolate`. */
export const INTERPOLATE_PAGE: Page = {
  usage: "interpolate --from TEXT --to TEXT [FLAGS]",
  text: [
    "Walks from one prompt and seed to others: noise is mixed spherically, prompts linearly. In a " +
    "folder, frames that are there from an earlier run with the same flags are kept.",
  ],
  examples: [
    'latent interpolate --from "a red one" --to "a blue two" --seed 1 --to-seed 2 -o frames/',
    'latent interpolate --from "a green eight" --seed 1 --seed 2 --seed 3 --loop -o eights.gif',
    "latent interpolate -p spring -p summer -p autumn -p winter --loop --fps 24 -o - |\n" +
    "ffmpeg -i - year.mp4",
  ],
  flags: INTERPOLATE_FLAGS,
};

/** Runs `latent interpolate`. */
export async function interpolate(args: readonly string[]): Promise<number> {
  const { flags, positionals } = parseFlags(INTERPOLATE_FLAGS, args);
  if (flags.help) {
    print(helpText(INTERPOLATE_PAGE));
    return 0;
  }
  const options = await walkOptionsOf(flags, positionals);
  const frames = Number(flags.frames ?? 24n), { fps } = flags;
  const animation = { frames, ...(fps !== undefined && { fps }) };
  await using output = await openFrameOutput(flags.output ?? "frames/", animation);
  const { standardOutput: resultsOnStandardOutput } = output;
  const reporter = reporterOf({ ...flags, resultsOnStandardOutput, draft: await draftOf(flags) });
  const start = {
    command: "interpolate",
    ...(flags.model !== undefined && { model: flags.model }),
    pictures: frames,
  };
  return await reportedRun(reporter, start, async (signal, tally) => {
    reporter.stage("opening the model");
    const open = { ...openOptionsOf(frameFlagsOf(flags), reporter), ...previewNetworks(flags) };
    await using sd = await StableDiffusion.open(flags.model, open);
    const preview = previewerOf(flags, sd);
    const { timeout } = flags, drawing = { timeout, signal, reporter, preview };
    const walk = await Walk.open(sd, options, async (settings) => {
      reporter.stage("measuring the walk");
      const [drawn] = await drawTogether(sd, [settings], { ...drawing, first: 0 });
      return imageOf(drawn!.result);
    });
    await drawFrames({ sd, walk, flags, output, tally, drawing });
    await output.close();
  });
}

/** What is opened, as a part of every frame's recipe: other files make other pictures. */
function sourceOf(flags: InterpolateFlags): Record<string, unknown> {
  return Object.fromEntries(OPENING_FLAGS.map((name) => [name, flags[name]]));
}

/** A frame, planned; and where it is there from an earlier run. */
interface Planned {
  readonly plan: FramePlan;
  readonly kept: Awaited<ReturnType<FrameOutput["kept"]>>;
}

/** What the frames of a walk are drawn with. */
interface FrameRun {
  readonly sd: StableDiffusion;
  readonly walk: Walk;
  readonly flags: InterpolateFlags;
  readonly output: FrameOutput;
  readonly tally: Tally;
  readonly drawing: Omit<Parameters<typeof drawTogether>[2], "first">;
}

async function drawFrames(run: FrameRun): Promise<void> {
  const { sd, walk, flags, output, drawing: { reporter } } = run, source = sourceOf(flags);
  let previous: Image | undefined;
  async function* planned(): AsyncGenerator<Planned> {
    for (let index = 0; index < walk.frames; index++) {
      const bare = await walk.frame(index, previous);
      const recipe = JSON.stringify({ source, frame: JSON.parse(bare.recipe) });
      yield { plan: { ...bare, recipe }, kept: await output.kept(index, recipe) };
    }
  }
  if (walk.feedback && (flags.batch ?? 1n) > 1n) {
    reporter.warning("with --feedback each frame needs the one before: they are drawn one by one");
  }
  const batches = batchesOf(planned(), {
    ...{ sd, reporter, batch: walk.feedback ? 1n : flags.batch },
    settingsOf: ({ plan, kept }) => kept ? undefined : plan.settings,
  });
  for await (const batch of batches) previous = await drawBatch(run, batch);
}

/** Draws the frames of a batch that are not there; returns the last one. */
async function drawBatch(run: FrameRun, batch: readonly Planned[]): Promise<Image | undefined> {
  const { sd, output, tally, drawing } = run, missing = batch.filter(({ kept }) => !kept);
  const first = missing[0]?.plan.index ?? 0, settings = missing.map(({ plan }) => plan.settings);
  const drawn = await drawTogether(sd, settings, { ...drawing, first });
  let last: Image | undefined;
  for (const planned of batch) {
    const { plan, kept } = planned, began = performance.now(), { index } = plan;
    const { result, seconds = 0 } = drawn[missing.indexOf(planned)] ?? {};
    const frame = last = kept?.image ?? new Frame(imageOf(result!), plan);
    const path = kept?.path ?? await output.save(frame, index);
    tally.pictures++;
    const { settings: { prompt, seed }, t } = plan, { width, height } = frame;
    const took = milliseconds(seconds + (performance.now() - began) / 1000);
    const about = { picture: index, path, seed, prompt, t, width, height, seconds: took };
    drawing.reporter.image({ ...about, ...(kept && { kept: true }) });
  }
  return last;
}

/** The picture that was drawn. Throws what went wrong instead. */
function imageOf(result: PromiseSettledResult<Image>): Image {
  if (result.status === "fulfilled") return result.value;
  throw result.reason;
}
