/**
 * From a weighted prompt to the windows of ids that a text encoder reads one after another.
 *
 * @module
 */

import type { WeightedText } from "./prompt_grammar.ts";

/** What becomes of a prompt that is longer than the text encoder's window. */
export type LongPrompt = "chunk" | "truncate";

/** Every {@linkcode LongPrompt}. */
export const LONG_PROMPTS: readonly LongPrompt[] = ["chunk", "truncate"];

/** One window without start and end: as many ids as weights. */
export interface PromptWindow {
  readonly ids: readonly number[];
  readonly weights: readonly number[];
}

/** What the windows are made with. */
export interface WindowOptions {
  /** Ids that fit a window between start and end: 75. */
  readonly length: number;
  /** The ids of a text, of any number. */
  readonly encode: (text: string) => readonly number[];
  readonly longPrompt: LongPrompt;
  /** Whether an id and the next belong together and must not be parted. */
  readonly belongTogether?: (id: number, next: number) => boolean;
}

/** The windows of a prompt, and the ids that were left out. */
export interface PromptWindows {
  readonly windows: readonly PromptWindow[];
  readonly truncated: readonly number[];
}

/** A window that is full ends after a comma if one is among its last 20 ids, as in A1111. */
const COMMA_BACKTRACK = 20;

interface Token {
  readonly id: number;
  readonly weight: number;
}

/** Cuts the sections of a prompt into windows; each section begins a new one. */
export function promptWindows(
  sections: readonly (readonly WeightedText[])[],
  options: WindowOptions,
): PromptWindows {
  const { length, encode, longPrompt } = options;
  const tokens = sections.map((section) =>
    section.flatMap(({ text, weight }): Token[] => encode(text).map((id) => ({ id, weight })))
  );
  if (longPrompt === "truncate") {
    const all = tokens.flat();
    return { windows: [windowOf(all.slice(0, length))], truncated: idsOf(all.slice(length)) };
  }
  // A BREAK at the very end breaks nothing.
  while (tokens.length > 1 && tokens.at(-1)!.length === 0) tokens.pop();
  const [comma] = encode(",");
  return {
    windows: tokens.flatMap((section) => cut(section, comma!, options)).map(windowOf),
    truncated: [],
  };
}

/** A section in pieces of at most `length` tokens; an empty one is one empty piece. */
function cut(
  section: readonly Token[],
  comma: number,
  { length, belongTogether = () => false }: WindowOptions,
): Token[][] {
  const pieces: Token[][] = [];
  let rest = section;
  while (rest.length > length) {
    const ids = idsOf(rest);
    const afterComma = ids.lastIndexOf(comma, length - 1) + 1;
    let end = rest[length]!.id !== comma && afterComma > 0 && length - afterComma < COMMA_BACKTRACK
      ? afterComma
      : length;
    while (end > 1 && belongTogether(ids[end - 1]!, ids[end]!)) end--;
    // A word that no window holds is parted after all.
    if (end === 1 && belongTogether(ids[0]!, ids[1]!)) end = length;
    pieces.push(rest.slice(0, end));
    rest = rest.slice(end);
  }
  return [...pieces, [...rest]];
}

const idsOf = (tokens: readonly Token[]) => tokens.map(({ id }) => id);

const windowOf = (tokens: readonly Token[]): PromptWindow => ({
  ids: idsOf(tokens),
  weights: tokens.map(({ weight }) => weight),
});
