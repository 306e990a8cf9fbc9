/**
 * All topics by name, loaded when asked for.
 *
 * @module
 */

import type { Topic } from "./topic.ts";

/** A topic that is not loaded yet. */
export interface TopicEntry {
  /** One line for the list. */
  readonly about: string;
  readonly load: () => Promise<Topic>;
  /** True where it explains a file that must be given. */
  readonly needsSubject?: boolean;
}

/** The course, in the order in which it is best read. */
export const TOPICS: Readonly<Record<string, TopicEntry>> = {
  pipeline: {
    about: "the way from a prompt to a picture, stage by stage",
    load: async () => (await import("./pipeline.ts")).pipeline,
  },
  latents: {
    about: "what the U-Net works on",
    load: async () => (await import("./latents.ts")).latents,
  },
  guidance: {
    about: "what the guidance scale does",
    load: async () => (await import("./guidance.ts")).guidance,
  },
  "negative-prompt": {
    about: "drawing away from words",
    load: async () => (await import("./negative_prompt.ts")).negativePrompt,
  },
  img2img: {
    about: "beginning in a picture",
    load: async () => (await import("./img2img.ts")).img2img,
  },
  interpolate: {
    about: "the way between two noises",
    load: async () => (await import("./interpolate.ts")).interpolation,
  },
  schedulers: {
    about: "noise tables, and solvers as rows of weights",
    load: async () => (await import("./schedulers.ts")).schedulers,
  },
};
