/**
 * The events in words, for the manual. That every event and every field has its words is checked by
 * the compiler.
 *
 * @module
 */

import type { TrainingEvent } from "../training/mod.ts";
import type { RunEvent } from "./events.ts";

/** What an event and its fields are. */
export interface EventWords {
  readonly about: string;
  /** By name; those that may be absent are said so. */
  readonly fields: Readonly<Record<string, string>>;
}

/** Words for each event of a union that is told apart by `Tag`. */
type WordsFor<Event extends Record<Tag, string>, Tag extends string> = {
  readonly [Name in Event[Tag]]: {
    readonly about: string;
    readonly fields: Readonly<
      Record<Exclude<keyof Extract<Event, Record<Tag, Name>>, Tag>, string>
    >;
  };
};

/** The events of `generate` and `interpolate`. */
export const RUN_EVENTS: WordsFor<RunEvent, "event"> = {
  start: {
    about: "the first one",
    fields: {
      command: "generate or interpolate",
      model: "as given; absent for the embedded model",
      pictures: "how many, where it is known",
    },
  },
  stage: {
    about: "what is done now",
    fields: { name: "such as opening the model", picture: "of which picture, where it is of one" },
  },
  progress: {
    about: "how far a download or the like is",
    fields: {
      name: "such as fetching",
      done: "so much of it",
      total: "all of it",
      unit: "what is counted: bytes",
    },
  },
  warning: { about: "what the picture is drawn in spite of", fields: { message: "in words" } },
  step: {
    about: "a call of the U-Net is made",
    fields: {
      picture: "0, 1, ... within the run",
      step: "1 to steps",
      steps: "calls for this picture",
      timestep: "that the U-Net was given",
      sigma: "how much noise there was",
      seconds: "how long it took",
    },
  },
  preview: {
    about: "how the picture looks by now, with --preview",
    fields: {
      picture: "0, 1, ... within the run",
      step: "after which it looks so",
      width: "in pixels",
      height: "in pixels",
      png: "a PNG file in base64",
    },
  },
  image: {
    about: "a picture is written",
    fields: {
      picture: "0, 1, ... within the run",
      path: "where; - for standard output",
      seed: "its seed; a text beyond 2^53",
      prompt: "its prompt",
      width: "in pixels",
      height: "in pixels",
      seconds: "how long it took",
      line: "the line of the prompts that asked for it, from 1",
      t: "where a frame lies on its walk, 0 to 1",
      kept: "true where it was there from an earlier run",
    },
  },
  sheet: {
    about: "the sheet of --grid is written",
    fields: { path: "where", pictures: "how many it has" },
  },
  error: {
    about: "a line of the prompts failed, or the run",
    fields: {
      message: "in words",
      kind: "class of the error",
      line: "from 1; absent where the run failed",
    },
  },
  done: {
    about: "the last one",
    fields: {
      pictures: "how many are written",
      failed: "lines that failed",
      exit: "the exit status",
    },
  },
};

/** A training's events as they are told: of samples the prompts, not the pictures. */
type ToldTraining =
  | Exclude<TrainingEvent, { readonly kind: "samples" }>
  | { readonly kind: "samples"; readonly step: number; readonly prompts: readonly string[] };

/** The events of `train`. */
export const TRAINING_EVENTS: WordsFor<ToldTraining, "kind"> = {
  stage: { about: "what is done now", fields: { name: "in words" } },
  skipped: {
    about: "a picture is left out",
    fields: { name: "its file", reason: "why" },
  },
  update: {
    about: "the weights are changed",
    fields: {
      step: "1 to steps",
      steps: "how many there will be",
      loss: "mean of the update's batches",
      norm: "length of the gradient before clipping",
      rate: "learning rate",
      seconds: "how long it took",
      overflows: "with fp16: how often it was skipped and repeated",
      lossScale: "with fp16: what the loss was multiplied by",
    },
  },
  samples: {
    about: "pictures are drawn for the report",
    fields: { step: "after which", prompts: "of the pictures" },
  },
  checkpoint: {
    about: "the state is on the disk, for --resume",
    fields: { step: "after which", path: "where" },
  },
  saved: { about: "the result is written", fields: { path: "where" } },
};
