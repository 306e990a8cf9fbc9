/**
 * `latent completions`: what a shell needs to complete commands, flags, their values and files, made
 * of the pages that `--help` is made of.
 *
 * @module
 */

import type { CommandEntry } from "./commands.ts";
import { bashScript } from "./completions_bash.ts";
import { fishScript } from "./completions_fish.ts";
import { zshScript } from "./completions_zsh.ts";
import { COMMON_FLAGS, type Flag, parseFlags, pathKind, UsageError } from "./flags.ts";
import { helpText, type Page, type Words } from "./page.ts";
import { print } from "./standard_output.ts";

/** A command, or the kind of one, as the scripts are made of it. */
export interface Completed {
  /** `generate`, or `train lora`. */
  readonly name: string;
  readonly about: string;
  readonly flags: readonly NamedFlag[];
  readonly words: readonly Words[];
  /** What has flags of its own behind this name. */
  readonly kinds: readonly Completed[];
}

/** A flag with its long name. */
export type NamedFlag = readonly [name: string, flag: Flag];

const SHELLS: Readonly<Record<string, (commands: readonly Completed[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/** Help of `latent completions`. */
export const COMPLETIONS_PAGE: Page = {
  usage: "completions bash|zsh|fish",
  text: [
    "Prints what the shell needs to complete the commands, flags, values and files of latent. " +
    "For bash, the first example goes into ~/.bashrc; zsh and fish read a file.",
  ],
  examples: [
    "source <(latent completions bash)",
    'latent completions zsh > "${fpath[1]}/_latent"',
    "latent completions fish > ~/.config/fish/completions/latent.fish",
  ],
  flags: { help: COMMON_FLAGS.help },
  words: [Object.keys(SHELLS)],
};

/** The command that completes `commands`. */
export function completionsOf(
  commands: Readonly<Record<string, Pick<CommandEntry, "about" | "page">>>,
): (args: readonly string[]) => Promise<number> {
  return async (args) => {
    const { flags, positionals } = parseFlags(COMPLETIONS_PAGE.flags, args);
    if (flags["help"]) {
      print(helpText(COMPLETIONS_PAGE));
      return 0;
    }
    const [shell, ...rest] = positionals;
    const script = shell !== undefined && Object.hasOwn(SHELLS, shell) ? SHELLS[shell] : undefined;
    if (!script || rest.length > 0) {
      throw new UsageError(
        `latent completions takes one of ${Object.keys(SHELLS).join(", ")}; got ` +
          `${positionals.length === 0 ? "nothing" : JSON.stringify(positionals.join(" "))}.`,
      );
    }
    const loaded = Object.entries(commands).map(async ([name, { about, page }]) =>
      completed(name, about, await page())
    );
    print(script(await Promise.all(loaded)).trimEnd());
    return 0;
  };
}

function completed(
  name: string,
  about: string,
  { flags, words = [], kinds = {} }: Page,
): Completed {
  const behind = Object.entries(kinds).map(([kind, entry]) =>
    completed(`${name} ${kind}`, entry.about, entry.page)
  );
  return { name, about, flags: Object.entries(flags), words, kinds: behind };
}

/** Commands and, behind them, their kinds. */
export function withKinds(commands: readonly Completed[]): readonly Completed[] {
  return commands.flatMap((command) => [command, ...withKinds(command.kinds)]);
}

/** All spellings of a flag, the long names first. */
export function spellings([name, flag]: NamedFlag): string[] {
  const long = [name, ...(flag.aliases ?? [])].map((each) => `--${each}`);
  return flag.short === undefined ? long : [...long, `-${flag.short}`];
}

/** What follows a flag: words, files, folders, what nobody can list, or nothing. */
export type Value = { readonly words: readonly string[] } | "file" | "folder" | "other" | "none";

/** What follows a flag. */
export function valueOf(flag: Flag): Value {
  if (flag.kind === "switch") return "none";
  const words = flag.choices ?? flag.suggests;
  return words ? { words } : pathKind(flag) ?? "other";
}

/** A word for any of the shells. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
