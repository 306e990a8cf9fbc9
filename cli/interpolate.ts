/**
 * `latent interpolate`: pictures on the way from one prompt and seed to others.
 *
 * @module
 */

import { Frame, type Image, type Settings, StableDiffusion, Walk } from "../mod.ts";
import { withDeadline } from "./deadline.ts";
import { draw } from "./drawing.ts";
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
import { type Reporter, reporterOf } from "./reporter.ts";
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
    const drawOne = (settings: Settings) =>
      withDeadline(
        flags.timeout,
        signal,
        (limit) =>
          draw(sd, { ...settings, signal: limit }, { picture: tally.pictures, reporter, preview }),
      );
    const walk = await Walk.open(sd, options, (settings) => {
      reporter.stage("measuring the walk");
      return drawOne(settings);
    });
    await drawFrames(walk, { source: sourceOf(flags), output, reporter, tally, drawOne });
    await output.close();
  });
}

/** What is opened, as a part of every frame's recipe: other files make other pictures. */
function sourceOf(flags: InterpolateFlags): Record<string, unknown> {
  const { model, config, variant, vae, refiner, lora, embedding, controlnet } = flags;
  return { model, config, variant, vae, refiner, lora, embedding, controlnet };
}

async function drawFrames(
  walk: Walk,
  { source, output, reporter, tally, drawOne }: {
    readonly source: Record<string, unknown>;
    readonly output: FrameOutput;
    readonly reporter: Reporter;
    readonly tally: Tally;
    readonly drawOne: (settings: Settings) => Promise<Image>;
  },
): Promise<void> {
  let previous: Image | undefined;
  for (let index = 0; index < walk.frames; index++) {
    const began = performance.now(), plan = await walk.frame(index, previous);
    const recipe = JSON.stringify({ source, frame: JSON.parse(plan.recipe) });
    const found = await output.kept(index, recipe);
    const frame = found?.image ?? new Frame(await drawOne(plan.settings), { ...plan, recipe });
    const path = found?.path ?? await output.save(frame, index);
    tally.pictures++;
    if (walk.feedback) previous = frame;
    const { settings: { prompt, seed }, t } = plan, { width, height } = frame;
    const seconds = milliseconds((performance.now() - began) / 1000);
    const about = { picture: index, path, seed, prompt, t, width, height, seconds };
    reporter.image({ ...about, ...(found && { kept: true }) });
  }
}
