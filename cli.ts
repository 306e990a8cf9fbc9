#!/usr/bin/env -S deno run -A
/**
 * The `latent` command line: finds the command, runs it, turns failures into one line and an
 * exit code. 0 done, 1 failed, 2 wrong usage, 130 interrupted.
 *
 * @module
 */

import manifest from "./deno.json" with { type: "json" };
import { type FlagTable, nearest, UsageError } from "./cli/flags.ts";
import { exitCodeOf, lineOf } from "./cli/failure.ts";

/** A command: returns the exit code. */
type Command = (args: readonly string[]) => Promise<number>;

/** What is known of a command without loading it. */
interface Entry {
  readonly about: string;
  readonly load: () => Promise<Command>;
  /** Its flags, for completion. */
  readonly flags?: () => Promise<FlagTable>;
}

/** Commands by name, loaded when asked for, so that `--help` loads nothing else. */
const COMMANDS: Readonly<Record<string, Entry>> = {
  generate: {
    about: "draw pictures from a prompt",
    load: async () => (await import("./cli/generate.ts")).generate,
    flags: async () => (await import("./cli/generate.ts")).GENERATE_COMMAND_FLAGS,
  },
  interpolate: {
    about: "draw the way from one prompt and seed to others",
    load: async () => (await import("./cli/interpolate.ts")).interpolate,
    flags: async () => (await import("./cli/interpolate_flags.ts")).INTERPOLATE_FLAGS,
  },
  explain: {
    about: "run the ideas of Stable Diffusion and look at them",
    load: async () => (await import("./cli/explain.ts")).explain,
  },
  models: {
    about: "list, fetch and remove models of the Hub",
    load: async () => (await import("./cli/models.ts")).models,
  },
  metadata: {
    about: "say how pictures were made",
    load: async () => (await import("./cli/metadata.ts")).metadata,
  },
  verify: {
    about: "make a picture again and compare",
    load: async () => (await import("./cli/verify.ts")).verify,
  },
  train: {
    about: "learn a word, an adapter or a model from pictures",
    load: async () => (await import("./cli/train.ts")).train,
  },
  upscale: {
    about: "enlarge pictures by an upscaler's ONNX file",
    load: async () => (await import("./cli/upscale.ts")).upscale,
    flags: async () => (await import("./cli/upscale.ts")).UPSCALE_FLAGS,
  },
  export: {
    about: "write a model's networks as ONNX files",
    load: async () => (await import("./cli/export.ts")).exportModel,
  },
  doctor: {
    about: "say what works on this machine, what does not, and why",
    load: async () => (await import("./cli/doctor.ts")).doctor,
    flags: async () => (await import("./cli/doctor.ts")).DOCTOR_FLAGS,
  },
  runtime: {
    about: "list, install and remove ONNX Runtimes",
    load: async () => (await import("./cli/runtime.ts")).runtime,
    flags: async () => (await import("./cli/runtime.ts")).RUNTIME_FLAGS,
  },
  completions: {
    about: "what a shell needs to complete all this",
    load: async () => (await import("./cli/completions.ts")).completionsOf(COMMANDS),
  },
};

const HELP = `latent ${manifest.version}: Stable Diffusion, from the shell

Usage: latent COMMAND [FLAGS]

${Object.entries(COMMANDS).map(([name, { about }]) => `  ${name.padEnd(12)}${about}`).join("\n")}

  latent COMMAND --help    what a command takes
  latent --version         versions of latent and Deno
`;

/** Runs one command line and returns its exit code. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const [name, ...rest] = args;
    if (name === undefined || name === "--help" || name === "-h" || name === "help") {
      console.log(HELP);
      return name === undefined ? 2 : 0;
    }
    if (name === "--version" || name === "-V") {
      console.log(`latent ${manifest.version} (Deno ${Deno.version.deno})`);
      return 0;
    }
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (!command) throw unknownCommand(name);
    return await (await command.load())(rest);
  } catch (error) {
    console.error(lineOf(error, { stack: args.includes("--verbose") || args.includes("-v") }));
    return exitCodeOf(error);
  }
}

function unknownCommand(name: string): UsageError {
  const near = nearest(name, Object.keys(COMMANDS));
  const hint = near.length > 0 ? ` Did you mean ${near.join(" or ")}?` : "";
  return new UsageError(`Unknown command ${JSON.stringify(name)}.${hint} See latent --help.`);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
