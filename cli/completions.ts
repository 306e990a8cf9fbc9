/**
 * `latent completions`: what a shell needs to complete commands, flags and their values, made of the
 * tables that the commands themselves are parsed by.
 *
 * @module
 */

import { type Flag, type FlagTable, UsageError } from "./flags.ts";

/** What is completed of a command. */
export interface Completed {
  /** One line of help. */
  readonly about: string;
  /** Its flags, if it has any. */
  readonly flags?: (() => Promise<FlagTable>) | undefined;
}

/** A command with its flags loaded. */
interface Loaded {
  readonly name: string;
  readonly about: string;
  readonly flags: readonly (readonly [name: string, flag: Flag])[];
}

const SHELLS: Readonly<Record<string, (commands: readonly Loaded[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

const HELP = `Usage: latent completions bash|zsh|fish

Prints what the shell needs to complete the commands and flags of latent.

  bash   source <(latent completions bash)                       in ~/.bashrc
  zsh    latent completions zsh > "\${fpath[1]}/_latent"
  fish   latent completions fish > ~/.config/fish/completions/latent.fish
`;

/** The command that completes `commands`. */
export function completionsOf(
  commands: Readonly<Record<string, Completed>>,
): (args: readonly string[]) => Promise<number> {
  return async (args) => {
    const [shell, ...rest] = args;
    if (shell === "--help" || shell === "-h") {
      console.log(HELP);
      return 0;
    }
    const script = shell !== undefined && Object.hasOwn(SHELLS, shell) ? SHELLS[shell] : undefined;
    if (!script || rest.length > 0) {
      throw new UsageError(
        `latent completions takes one of ${Object.keys(SHELLS).join(", ")}; got ` +
          `${args.length === 0 ? "nothing" : JSON.stringify(args.join(" "))}.`,
      );
    }
    const loaded = Object.entries(commands).map(async ([name, { about, flags }]) => ({
      ...{ name, about },
      flags: Object.entries(await flags?.() ?? {}),
    }));
    console.log(script(await Promise.all(loaded)).trimEnd());
    return 0;
  };
}

/** All spellings of a flag, the long name first. */
function spellings([name, flag]: readonly [string, Flag]): string[] {
  const long = [name, ...(flag.aliases ?? [])].map((each) => `--${each}`);
  return flag.short === undefined ? long : [...long, `-${flag.short}`];
}

/** What follows a flag: nothing, one of some words, a file or folder, or what nobody can know. */
function valueOf(
  { kind, choices, value = "" }: Flag,
): "none" | "words" | "file" | "other" {
  if (kind === "switch") return "none";
  if (choices) return "words";
  return /^(FILE|PATH|DIR)/.test(value) ? "file" : "other";
}

function bashScript(commands: readonly Loaded[]): string {
  const cases = commands.map(({ name, flags }) => {
    const values = flags.filter(([, flag]) => valueOf(flag) !== "none").map((entry) => {
      const [, flag] = entry;
      const reply = {
        words: `COMPREPLY=($(compgen -W "${flag.choices?.join(" ")}" -- "$word")); `,
        // Split at line ends alone: a file's name may hold spaces.
        file: `local IFS=$'\\n'; COMPREPLY=($(compgen -f -- "$word")); `,
        other: "",
        none: "",
      }[valueOf(flag)];
      return `        ${spellings(entry).join("|")}) ${reply}return ;;`;
    });
    const all = flags.flatMap((entry) => spellings(entry).filter((text) => text.startsWith("--")));
    return `    ${name})
      case "$before" in
${values.join("\n")}
      esac
      COMPREPLY=($(compgen -W "${all.join(" ")}" -- "$word")) ;;`;
  });
  return `# Completes latent in bash.
_latent() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD - 1]}"
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${namesOf(commands)}" -- "$word"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join("\n")}
  esac
}
complete -o filenames -F _latent latent
`;
}

function zshScript(commands: readonly Loaded[]): string {
  const specs = commands.map(({ name, flags }) => {
    const lines = flags.map((entry) => {
      const [, flag] = entry, value = valueOf(flag);
      const action = {
        none: "",
        words: `:${flag.value ?? "NAME"}:(${flag.choices?.join(" ")})`,
        file: ":FILE:_files",
        other: `:${flag.value ?? "N"}: `,
      }[value];
      const repeats = flag.kind === "list" ? "*" : "";
      const help = flag.help.replaceAll(/[[\]:\\]/g, "\\$&");
      return spellings(entry).map((text) =>
        `        ${quoted(`${repeats}${text}[${help}]${action}`)}`
      );
    });
    return `    ${name})
      _arguments \\
${[...lines.flat(), "        '*:prompt: '"].join(" \\\n")} ;;`;
  });
  const names = commands.map(({ name, about }) => `    ${quoted(`${name}:${about}`)}`);
  return `#compdef latent
# Completes latent in zsh.
_latent() {
  local -a commands=(
${names.join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${specs.join("\n")}
  esac
}
_latent "$@"
`;
}

function fishScript(commands: readonly Loaded[]): string {
  const names = commands.map(({ name, about }) =>
    `complete -c latent -f -n __fish_use_subcommand -a ${name} -d ${quoted(about)}`
  );
  const lines = commands.flatMap(({ name, flags }) =>
    flags.map((entry) => {
      const [long, flag] = entry;
      const value = {
        none: "-f",
        words: `-x -a ${quoted(flag.choices?.join(" ") ?? "")}`,
        file: "-r -F",
        other: "-x",
      }[valueOf(flag)];
      const names = [long, ...(flag.aliases ?? [])].map((each) => `-l ${each}`).join(" ");
      const short = flag.short === undefined ? "" : ` -s ${flag.short}`;
      const when = quoted(`__fish_seen_subcommand_from ${name}`);
      return `complete -c latent -n ${when} ${names}${short} ${value} -d ${quoted(flag.help)}`;
    })
  );
  return `# Completes latent in fish.\n${[...names, ...lines].join("\n")}\n`;
}

function namesOf(commands: readonly Loaded[]): string {
  return commands.map(({ name }) => name).join(" ");
}

/** A word for any of the shells. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
