/**
 * The completions of fish.
 *
 * @module
 */

import { type Completed, quoted, type Value, valueOf, withKinds } from "./completions.ts";
import type { Words } from "./page.ts";

const FILES = "(__fish_complete_path (commandline -ct))";
const FOLDERS = "(__fish_complete_directories (commandline -ct))";

/** The file that fish reads. */
export function fishScript(commands: readonly Completed[]): string {
  const names = commands.map(({ name, about }) =>
    `complete -c latent -n __latent_is_bare -a ${name} -d ${quoted(about)}`
  );
  return `# Completes latent in fish.
function __latent_is_bare
    test (count (commandline -opc)) -eq 1
end
# Whether the command line is of a command, or of the kind of one that comes second.
function __latent_is
    set -l words (commandline -opc)
    test (count $words) -gt (count $argv); or return 1
    set -l last (math 1 + (count $argv))
    test "$words[2..$last]" = "$argv"
end
# As above, with so many words behind it.
function __latent_is_at
    set -l command $argv[2..-1]
    __latent_is $command; or return 1
    test (count (commandline -opc)) -eq (math 1 + (count $command) + $argv[1])
end
complete -c latent -f
complete -c latent -n __latent_is_bare -l help -s h -d 'what there is'
complete -c latent -n __latent_is_bare -l version -s V -d 'versions of latent and Deno'
${[...names, ...withKinds(commands).flatMap(linesOf)].join("\n")}
`;
}

function linesOf({ name, flags, words, kinds }: Completed): string[] {
  // What has kinds leaves its flags to them.
  const own = kinds.length > 0 ? flags.filter(([long]) => long === "help") : flags;
  const when = quoted(`__latent_is ${name}`);
  return [
    ...own.map(([long, flag]) => {
      const names = [long, ...(flag.aliases ?? [])].map((each) => `-l ${each}`).join(" ");
      const short = flag.short === undefined ? "" : ` -s ${flag.short}`;
      const value = valueArguments(valueOf(flag));
      return `complete -c latent -n ${when} ${names}${short} ${value} -d ${quoted(flag.help)}`;
    }),
    ...words.flatMap((each, at) => wordLines(name, each, at)),
  ];
}

function wordLines(name: string, words: Words, at: number): string[] {
  if (words === "text") return [];
  const when = words === "file" && at === 0
    ? `__latent_is ${name}`
    : `__latent_is_at ${at} ${name}`;
  const what = words === "file" ? FILES : words.join(" ");
  return [`complete -c latent -n ${quoted(when)} -a ${quoted(what)}`];
}

function valueArguments(value: Value): string {
  if (typeof value === "object") return `-x -a ${quoted(value.words.join(" "))}`;
  return { file: "-r -F", folder: `-x -a ${quoted(FOLDERS)}`, other: "-x", none: "-f" }[value];
}
