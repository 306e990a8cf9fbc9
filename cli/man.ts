/**
 * `latent man`: the manual page, made of the pages that `--help` is made of.
 *
 * @module
 */

import manifest from "../deno.json" with { type: "json" };
import type { CommandEntry } from "./commands.ts";
import { nearest, parseFlags, UsageError } from "./flags.ts";
import { commandManual, type Described, programManual } from "./manual.ts";
import { helpText, type Page } from "./page.ts";
import { print } from "./standard_output.ts";

type Commands = Readonly<Record<string, Pick<CommandEntry, "about" | "page">>>;

/** Help of `latent man`. */
export function manPageOf(commands: Commands): Page {
  return {
    usage: "man [COMMAND]",
    text: [
      "Prints the manual page, or that of one command, for man to show or to install.",
    ],
    examples: [
      "latent man | man -l -",
      "mkdir -p ~/.local/share/man/man1 && latent man > ~/.local/share/man/man1/latent.1",
      "latent man generate > latent-generate.1",
    ],
    flags: { help: { kind: "switch", short: "h", help: "this text" } },
    words: [Object.keys(commands)],
  };
}

/** The command that prints the manual of `commands`. */
export function manOf(commands: Commands): (args: readonly string[]) => Promise<number> {
  return async (args) => {
    const page = manPageOf(commands);
    const { flags, positionals: [name, ...more] } = parseFlags(page.flags, args);
    if (flags["help"]) {
      print(helpText(page));
      return 0;
    }
    if (more.length > 0) throw new UsageError("latent man takes one command.");
    if (name !== undefined && !Object.hasOwn(commands, name)) throw unknown(name, commands);
    const names = name === undefined ? Object.keys(commands) : [name];
    const described = await Promise.all(names.map(async (each): Promise<Described> => ({
      name: each,
      about: commands[each]!.about,
      page: await commands[each]!.page(),
    })));
    const edition = {
      version: manifest.version,
      date: new Date().toISOString().slice(0, 10),
    };
    const text = name === undefined
      ? programManual(described, edition)
      : commandManual(described[0]!, edition);
    print(text.trimEnd());
    return 0;
  };
}

function unknown(name: string, commands: Commands): UsageError {
  const near = nearest(name, Object.keys(commands));
  const hint = near.length > 0 ? ` Did you mean ${near.join(" or ")}?` : "";
  return new UsageError(`Unknown command ${JSON.stringify(name)}.${hint} See latent --help.`);
}
