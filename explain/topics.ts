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
  guidance: {
    about: "what the guidance scale does",
    load: async () => (await import("./guidance.ts")).guidance,
  },
  schedulers: {
    about: "noise tables, and solvers as rows of weights",
    load: async () => (await import("./schedulers.ts")).schedulers,
  },
};
