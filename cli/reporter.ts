/**
 * What a run tells while it goes on: progress for people on standard error, or events for programs,
 * one JSON object a line.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Image } from "../mod.ts";
import {
  type DoneEvent,
  type ErrorEvent,
  eventWriter,
  type ImageEvent,
  type SheetEvent,
  type StartEvent,
  type StepEvent,
} from "./events.ts";
import type { Batch } from "./drawing.ts";
import type { Draft } from "./preview_drafts.ts";
import { type Progress, progressTo } from "./progress.ts";
import type { Work } from "./progress_bar.ts";

/** Hears what a run does. */
export interface Reporter {
  /** Whether it tells of every picture; people see the first of a batch. */
  readonly tellsAll: boolean;
  start(run: Omit<StartEvent, "event">): void;
  stage(name: string, picture?: number): void;
  /** How far a work of known length is, such as a download. */
  progress(work: Work): void;
  /** Something that the picture is drawn in spite of. */
  warning(message: string): void;
  /** One call of the U-Net; `batch` where several pictures are drawn in step. */
  step(at: Omit<StepEvent, "event">, batch?: Batch): void;
  /** How a picture looks by now; `image` is coarse until `step` is "last". */
  preview(at: { picture: number; step: number | "last" }, image: Image): Promise<void>;
  image(result: Omit<ImageEvent, "event">): void;
  sheet(result: Omit<SheetEvent, "event">): void;
  /** A failure after which the run goes on, or its last one; who ends the run tells people. */
  error(failure: Omit<ErrorEvent, "event">): void;
  done(end: Omit<DoneEvent, "event">): void;
}

/** What {@linkcode reporterOf} needs to know. */
export interface ReporterOptions {
  readonly json?: boolean | undefined;
  readonly quiet?: boolean | undefined;
  /** True where results go to standard output, which then carries nothing else. */
  readonly resultsOnStandardOutput?: boolean | undefined;
  /** How previews are drawn on the terminal; absent: they are not. */
  readonly draft?: Draft | undefined;
}

/** The reporter that the common flags ask for. */
export function reporterOf(options: ReporterOptions): Reporter {
  const { json = false, quiet = false, resultsOnStandardOutput = false, draft } = options;
  if (json) return jsonReporter(resultsOnStandardOutput ? "standard error" : "standard output");
  return peopleReporter(progressTo({ quiet }), quiet ? undefined : draft);
}

function peopleReporter(progress: Progress, draft: Draft | undefined): Reporter {
  let pictures: number | undefined, drawn = 0, spent = 0;
  return {
    tellsAll: false,
    start: (run) => pictures = run.pictures,
    stage: (name) => progress.stage(name),
    progress: (work) => work.done < work.total ? progress.step(work) : progress.end(),
    warning: (message) => progress.line(`latent: ${message}`),
    step({ picture, step, steps }, { first, count } = { first: picture, count: 1 }) {
      if (picture !== first) return;
      const several = pictures !== undefined && pictures > 1;
      const which = count > 1 ? `${first + 1}-${first + count}` : `${first + 1}`;
      const name = several ? `${which}/${pictures} denoising` : "denoising";
      // What the pictures so far have taken, the others will take.
      const after = several && drawn > 0 ? spent / drawn * (pictures! - first - count) : 0;
      progress.step({ name, done: step, total: steps, after });
    },
    async preview({ step }, image) {
      if (!draft) return;
      const last = step === "last";
      progress.picture(await draft(image, last), last);
    },
    image({ path, seed, seconds, kept }) {
      if (!kept) {
        drawn++;
        spent += seconds;
      }
      const where = path === "-" ? "standard output" : path;
      progress.line(`${where}  ${kept ? "kept" : `seed ${seed}  ${seconds.toFixed(1)} s`}`);
    },
    sheet: ({ path, pictures }) => progress.line(`${path}  ${pictures} pictures`),
    error({ message, line }) {
      if (line === undefined) progress.end();
      else progress.line(`line ${line}: ${message}`);
    },
    done: () => progress.end(),
  };
}

/** Least time between two events of progress, in milliseconds. */
const PROGRESS_PAUSE = 250;

function jsonReporter(to: "standard output" | "standard error"): Reporter {
  const write = eventWriter(to);
  let told = -Infinity;
  return {
    tellsAll: true,
    start: (run) => write({ event: "start", ...run }),
    stage: (name, picture) =>
      write({ event: "stage", name, ...(picture === undefined ? {} : { picture }) }),
    progress({ name, done, total, unit = "steps" }) {
      const now = performance.now();
      if (done < total && now - told < PROGRESS_PAUSE) return;
      told = now;
      write({ event: "progress", name, done, total, unit });
    },
    warning: (message) => write({ event: "warning", message }),
    step: (at) => write({ event: "step", ...at }),
    async preview({ picture, step }, image) {
      if (step === "last") return;
      const { width, height } = image;
      const png = Buffer.from(await image.encode("png")).toString("base64");
      write({ event: "preview", picture, step, width, height, png });
    },
    image: (result) => write({ event: "image", ...result }),
    sheet: (result) => write({ event: "sheet", ...result }),
    error: (failure) => write({ event: "error", ...failure }),
    done: (end) => write({ event: "done", ...end }),
  };
}
