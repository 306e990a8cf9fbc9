/**
 * The commands by name, each loaded when it is asked for, so that `--help` loads none of them.
 *
 * @module
 */

import type { Page } from "./page.ts";

/** What is known of a command without loading it. */
export interface CommandEntry {
  /** One line. */
  readonly about: string;
  /** What runs it: returns the exit code. */
  readonly load: () => Promise<(args: readonly string[]) => Promise<number>>;
  /** Its help, flags and words. */
  readonly page: () => Promise<Page>;
}

/** All commands, in the order of `latent --help`. */
export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  generate: {
    about: "draw pictures from a prompt",
    load: async () => (await import("./generate.ts")).generate,
    page: async () => (await import("./generate.ts")).GENERATE_PAGE,
  },
  interpolate: {
    about: "draw the way from one prompt and seed to others",
    load: async () => (await import("./interpolate.ts")).interpolate,
    page: async () => (await import("./interpolate.ts")).INTERPOLATE_PAGE,
  },
  explain: {
    about: "run the ideas of Stable Diffusion and look at them",
    load: async () => (await import("./explain.ts")).explain,
    page: async () => (await import("./explain.ts")).EXPLAIN_PAGE,
  },
  models: {
    about: "list, fetch and remove models of the Hub",
    load: async () => (await import("./models.ts")).models,
    page: async () => (await import("./models.ts")).MODELS_PAGE,
  },
  metadata: {
    about: "say how pictures were made",
    load: async () => (await import("./metadata.ts")).metadata,
    page: async () => (await import("./metadata.ts")).METADATA_PAGE,
  },
  verify: {
    about: "make a picture again and compare",
    load: async () => (await import("./verify.ts")).verify,
    page: async () => (await import("./verify.ts")).VERIFY_PAGE,
  },
  train: {
    about: "learn a word, an adapter or a model from pictures",
    load: async () => (await import("./train.ts")).train,
    page: async () => (await import("./train.ts")).TRAIN_PAGE,
  },
  upscale: {
    about: "enlarge pictures by an upscaler's ONNX file",
    load: async () => (await import("./upscale.ts")).upscale,
    page: async () => (await import("./upscale.ts")).UPSCALE_PAGE,
  },
  export: {
    about: "write a model's networks as ONNX files",
    load: async () => (await import("./export.ts")).exportModel,
    page: async () => (await import("./export.ts")).EXPORT_PAGE,
  },
  bench: {
    about: "measure what a picture costs on this machine",
    load: async () => (await import("./bench.ts")).bench,
    page: async () => (await import("./bench.ts")).BENCH_PAGE,
  },
  doctor: {
    about: "say what works on this machine, what does not, and why",
    load: async () => (await import("./doctor.ts")).doctor,
    page: async () => (await import("./doctor.ts")).DOCTOR_PAGE,
  },
  runtime: {
    about: "list, install and remove ONNX Runtimes",
    load: async () => (await import("./runtime.ts")).runtime,
    page: async () => (await import("./runtime.ts")).RUNTIME_PAGE,
  },
  completions: {
    about: "what a shell needs to complete all this",
    load: async () => (await import("./completions.ts")).completionsOf(COMMANDS),
    page: async () => (await import("./completions.ts")).COMPLETIONS_PAGE,
  },
  man: {
    about: "the manual page",
    load: async () => (await import("./man.ts")).manOf(COMMANDS),
    page: async () => (await import("./man.ts")).manPageOf(COMMANDS),
  },
};
