/**
 * A command's help as data. `--help`, the manual page and the shells' completions are made of it.
 *
 * @module
 */

import { helpOf } from "./flag_help.ts";
import type { FlagTable } from "./flags.ts";
import { wrap } from "./wrap.ts";

/** What the words between the flags are: some of a list, files, or what nobody can list. */
export type Words = readonly string[] | "file" | "text";

/** All that can be said of a command. */
export interface Page {
  /** What follows `latent`: `generate [PROMPT] [FLAGS]`. */
  readonly usage: string;
  /** Paragraphs. */
  readonly text: readonly string[];
  /** Lines for a shell, each one that runs; a line within may end in `|` and go on in the next. */
  readonly examples: readonly string[];
  readonly flags: FlagTable;
  /** The words between the flags, in order; the last of them may repeat. */
  readonly words?: readonly Words[];
  /** What the first word chooses, where each choice has flags of its own. */
  readonly kinds?: Readonly<Record<string, Kind>>;
}

/** A command's first word that has a page of its own. */
export interface Kind {
  /** One line. */
  readonly about: string;
  readonly page: Page;
}

/** The text of `--help`, within 80 columns. */
export function helpText({ usage, text, examples, flags, kinds }: Page): string {
  const parts = [
    `Usage: latent ${usage}`,
    ...text.map((paragraph) => wrap(paragraph, 80)),
    ...(kinds ? [listOf(kinds)] : []),
    examples.map(indented).join("\n"),
    helpOf(flags),
  ];
  return parts.join("\n\n");
}

/** Names and what they are, in two columns. */
export function listOf(entries: Readonly<Record<string, { readonly about: string }>>): string {
  const width = Math.max(...Object.keys(entries).map((name) => name.length)) + 2;
  return Object.entries(entries)
    .map(([name, { about }]) => `  ${name.padEnd(width)}${about}`)
    .join("\n");
}

function indented(example: string): string {
  return `  ${example.replaceAll("\n", "\n    ")}`;
}
