/**
 * `latent man`: the manual page, made of the pages that `--help` is made of.
 *
 * @module
 */

import manifest from "../deno.json" with { type: "json" };
import type { CommandEntry } from "./commands.ts";
import { COMMON_FLAGS, parseFlags, unknownCommand, UsageError } from "./flags.ts";
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
    flags: { help: COMMON_FLAGS.help },
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
    const known = Object.keys(commands);
    if (name !== undefined && !known.includes(name)) throw unknownCommand(name, known);
    const names = name === undefined ? known : [name];
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
