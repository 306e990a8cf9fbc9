/**
 * The completions of zsh.
 *
 * @module
 */

import {
  type Completed,
  type NamedFlag,
  quoted,
  spellings,
  valueOf,
  withKinds,
} from "./completions.ts";
import { valueName } from "./flag_help.ts";
import type { Flag } from "./flags.ts";

/** The file that zsh reads: `_latent` in a folder of its `fpath`. */
export function zshScript(commands: readonly Completed[]): string {
  const all = withKinds(commands);
  const kinds = all.filter(({ name }) => name.includes(" ")).map(({ name }) => quoted(name));
  const names = commands.map(({ name, about }) =>
    `    ${quoted(`${name}:${about.replaceAll(":", "\\:")}`)}`
  );
  return `#compdef latent
# Completes latent in zsh.
_latent() {
  local -a commands=(
${names.join("\n")}
  )
  if (( CURRENT == 2 )); then
    if [[ $words[2] == -* ]]; then
      compadd -- --help --version
    else
      _describe command commands
    fi
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
${
    kinds.length === 0 ? "" : `  if (( CURRENT > 2 )); then
    case "$command $words[2]" in
      ${kinds.join("|")})
        command="$command $words[2]"
        shift words
        (( CURRENT-- )) ;;
    esac
  fi
`
  }  case $command in
${all.map(commandCase).join("\n")}
  esac
}
if [[ $funcstack[1] == _latent ]]; then
  _latent "$@"
else
  compdef _latent latent
fi
`;
}

function commandCase({ name, flags, words }: Completed): string {
  const specs = [
    ...flags.flatMap(flagSpecs),
    ...words.map((each, at) => {
      if (each === "file") return "*:FILE:_files";
      return each === "text" ? `${at + 1}:TEXT: ` : `${at + 1}:WORD:(${each.join(" ")})`;
    }),
  ];
  return `    ${quoted(name)})
      _arguments \\
${specs.map((spec) => `        ${quoted(spec)}`).join(" \\\n")} ;;`;
}

function flagSpecs(entry: NamedFlag): string[] {
  const [, flag] = entry, action = actionOf(flag);
  const repeats = flag.kind === "list" ? "*" : "";
  const help = flag.help.replaceAll(/[[\]:\\]/g, "\\$&");
  return spellings(entry).map((text) => {
    const joined = action !== "" && text.startsWith("--") ? "=" : "";
    return `${repeats}${text}${joined}[${help}]${action}`;
  });
}

function actionOf(flag: Flag): string {
  const value = valueOf(flag), label = valueName(flag).replaceAll(":", "\\:");
  if (typeof value === "object") return `:${label}:(${value.words.join(" ")})`;
  return {
    file: `:${label}:_files`,
    folder: `:${label}:_files -/`,
    other: `:${label}: `,
    none: "",
  }[
    value
  ];
}
