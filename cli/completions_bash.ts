/**
 * The completions of bash, from 3.2 on.
 *
 * @module
 */

import { type Completed, spellings, type Value, valueOf, withKinds } from "./completions.ts";
import type { Words } from "./page.ts";

/** The script that bash reads. */
export function bashScript(commands: readonly Completed[]): string {
  const all = withKinds(commands);
  return `# Completes latent in bash.
_latent() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD - 1]}"
  local command="\${COMP_WORDS[1]}" first=2 flags="" valued="" at i
  COMPREPLY=()
  # "--flag=value" comes in as three words.
  if [ "$word" = "=" ]; then
    word=""
  elif [ "$before" = "=" ] && [ "$COMP_CWORD" -gt 2 ]; then
    before="\${COMP_WORDS[COMP_CWORD - 2]}"
  fi
  if [ "$COMP_CWORD" -eq 1 ]; then
    case "$word" in
      -*) COMPREPLY=($(compgen -W "--help --version" -- "$word")) ;;
      *) COMPREPLY=($(compgen -W "${commands.map(({ name }) => name).join(" ")}" -- "$word")) ;;
    esac
    return
  fi
${all.some(({ name }) => name.includes(" ")) ? kindsCase(all) : ""}  case "$command" in
${all.map(flagsCase).join("\n")}
  esac
  case "$word" in
    -*)
      COMPREPLY=($(compgen -W "$flags" -- "$word"))
      return ;;
  esac
  # Which of the words between the flags this one is.
  at=0
  for ((i = first; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in
      -*)
        case " $valued " in *" \${COMP_WORDS[i]} "*)
          i=$((i + 1))
          if [ "\${COMP_WORDS[i]}" = "=" ]; then i=$((i + 1)); fi ;;
        esac ;;
      *) at=$((at + 1)) ;;
    esac
  done
  case "$command:$at" in
${all.flatMap(wordsCases).join("\n")}
    *) COMPREPLY=($(compgen -W "$flags" -- "$word")) ;;
  esac
}
complete -o filenames -F _latent latent
`;
}

/** A command of two words. */
function kindsCase(all: readonly Completed[]): string {
  const names = all.filter(({ name }) => name.includes(" ")).map(({ name }) => `"${name}"`);
  return `  if [ "$COMP_CWORD" -gt 2 ]; then
    case "$command \${COMP_WORDS[2]}" in
      ${names.join("|")}) command="$command \${COMP_WORDS[2]}" first=3 ;;
    esac
  fi
`;
}

function flagsCase({ name, flags }: Completed): string {
  const valued = flags.filter(([, flag]) => valueOf(flag) !== "none");
  const values = valued.map((entry) =>
    `        ${spellings(entry).join("|")}) ${reply(valueOf(entry[1]))}return ;;`
  );
  const long = flags.flatMap(spellings).filter((text) => text.startsWith("--"));
  return `    "${name}")
      flags="${long.join(" ")}"
      valued="${valued.flatMap(spellings).join(" ")}"
      case "$before" in
${[...values, "        --) ;;"].join("\n")}
      esac ;;`;
}

function wordsCases({ name, words }: Completed): string[] {
  return words.map((each, at) => {
    const place = at === words.length - 1 && repeats(each) ? "*" : at;
    return `    "${name}":${place}) ${reply(asValue(each))};;`;
  });
}

/** Whether the last words may come more than once: lists of words choose one. */
function repeats(words: Words): boolean {
  return words === "file";
}

function asValue(words: Words): Value {
  if (words === "file") return "file";
  return words === "text" ? "other" : { words };
}

/** What sets the reply. */
function reply(value: Value): string {
  if (typeof value === "object") {
    return `COMPREPLY=($(compgen -W "${value.words.join(" ")}" -- "$word")); `;
  }
  // Split at line ends alone: a file's name may hold spaces.
  const kind = { file: "-f", folder: "-d", other: undefined, none: undefined }[value];
  return kind ? `local IFS=$'\\n'; COMPREPLY=($(compgen ${kind} -- "$word")); ` : "";
}
