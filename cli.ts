#!/usr/bin/env -S deno run -A
/**
 * The `latent` command line: finds the command, runs it, turns failures into one line and an
 * exit code. 0 done, 1 failed, 2 wrong usage, 130 interrupted, 141 the reader has gone.
 *
 * @module
 */

import manifest from "./deno.json" with { type: "json" };
import { COMMANDS } from "./cli/commands.ts";
import { exitCodeOf, lineOf, READER_GONE } from "./cli/failure.ts";
import { unknownCommand } from "./cli/flags.ts";
import { listOf } from "./cli/page.ts";
import { print } from "./cli/standard_output.ts";

const HELP = `latent ${manifest.version}: Stable Diffusion, from the shell

Usage: latent COMMAND [FLAGS]

${listOf(COMMANDS)}

  latent COMMAND --help    what a command takes
  latent --version         versions of latent and Deno
`;

/** Runs one command line and returns its exit code. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    return await runCommand(args);
  } catch (error) {
    const code = exitCodeOf(error);
    // Whoever closed a pipe knows it.
    if (code !== READER_GONE) {
      tell(lineOf(error, { stack: args.includes("--verbose") || args.includes("-v") }));
    }
    return code;
  }
}

function tell(line: string): void {
  try {
    console.error(line);
  } catch {
    // Standard error takes nothing more: the exit code has to do.
  }
}

async function runCommand([name, ...rest]: readonly string[]): Promise<number> {
  if (name === undefined || name === "--help" || name === "-h") {
    print(HELP);
    return name === undefined ? 2 : 0;
  }
  if (name === "help") return await runCommand([...rest, "--help"]);
  if (name === "--version" || name === "-V") {
    print(`latent ${manifest.version} (Deno ${Deno.version.deno})`);
    return 0;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command) throw unknownCommand(name, Object.keys(COMMANDS));
  return await (await command.load())(rest);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
