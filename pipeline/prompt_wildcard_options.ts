/**
 * Wildcards as an option of a run.
 *
 * @module
 */

import { asOption, OptionError } from "./options.ts";
import { usesGrammar } from "./prompt_syntax.ts";
import { expandWildcards, wildcardLines } from "./prompt_wildcards.ts";
import type { Settings } from "./settings.ts";

/** The prompt with its wildcards chosen by the seed. @throws {OptionError} where they cannot be. */
export function withoutWildcards(
  { promptSyntax, wildcards }: Pick<Settings, "promptSyntax" | "wildcards">,
  option: string,
  text: string,
  seed: number | bigint,
): string {
  if (wildcards === undefined && !usesGrammar(text, promptSyntax)) return text;
  if (wildcards !== undefined) requireFolder(wildcards);
  return asOption(option, () =>
    expandWildcards(text, {
      seed,
      lines: wildcards === undefined ? undefined : wildcardLines(wildcards),
    }));
}

/** A folder that is not there would go unnoticed until a prompt names a wildcard. */
function requireFolder(path: string): void {
  let isFolder = false;
  try {
    isFolder = Deno.statSync(path).isDirectory;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  if (isFolder) return;
  throw new OptionError("wildcards", `Cannot read wildcards: ${path} is no folder.`);
}
