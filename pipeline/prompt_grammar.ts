/**
 * A1111's emphasis grammar: `(stronger)`, `[weaker]`, `(by this much:1.3)`, `\(escaped\)`, `BREAK`.
 *
 * @module
 */

/** A part of a prompt in which every token has the same weight. */
export interface WeightedText {
  /** The text without the marks. */
  readonly text: string;
  /** 1 is as written. */
  readonly weight: number;
}

/** What a pair of round brackets without a number multiplies by; square ones divide. */
const BRACKET = 1.1;

/** An escaped character, a bracket, `:1.3)`, a run without marks, or a single mark. */
const TOKEN = /\\[()[\]\\]|\\|\(|\[|:([+-]?[.\d]+)\)|\)|\]|[^\\()[\]:]+|:/g;

/** Brackets that are open, each with the index of the first text in it. */
interface OpenBrackets {
  readonly "(": number[];
  readonly "[": number[];
}

/** A text whose weight grows while brackets close. */
type Growing = { -readonly [K in keyof WeightedText]: WeightedText[K] };

/**
 * The sections of a prompt, which `BREAK` separates; each is read into windows of its own.
 *
 * Brackets that nobody closes count to the end, as in A1111. Neighbours of equal weight are joined;
 * there is at least one section, and it has at least one text, which may be empty.
 */
export function parseWeights(prompt: string): WeightedText[][] {
  const sections: Growing[][] = [[]];
  const flat: Growing[] = [];
  const open: OpenBrackets = { "(": [], "[": [] };
  const push = (text: string) => {
    const part = { text, weight: 1 };
    flat.push(part);
    sections.at(-1)!.push(part);
  };
  for (const [mark, number] of prompt.matchAll(TOKEN)) {
    if (mark.startsWith("\\")) push(mark.slice(1));
    else if (mark === "(" || mark === "[") open[mark].push(flat.length);
    else if (number !== undefined && open["("].length > 0 && isNumber(number)) {
      multiply(flat, open["("].pop()!, Number(number));
    } else if (mark === ")" && open["("].length > 0) multiply(flat, open["("].pop()!, BRACKET);
    else if (mark === "]" && open["["].length > 0) multiply(flat, open["["].pop()!, 1 / BRACKET);
    else {
      for (const [i, text] of mark.split(/\s*\bBREAK\b\s*/).entries()) {
        if (i > 0) sections.push([]);
        push(text);
      }
    }
  }
  for (const at of open["("]) multiply(flat, at, BRACKET);
  for (const at of open["["]) multiply(flat, at, 1 / BRACKET);
  return sections.map(joinEqual);
}

const isNumber = (text: string) => text !== "" && Number.isFinite(Number(text));

function multiply(parts: Growing[], from: number, factor: number): void {
  for (let i = from; i < parts.length; i++) parts[i]!.weight *= factor;
}

/** Joins neighbours of equal weight, so that they become tokens together. */
function joinEqual(parts: readonly WeightedText[]): WeightedText[] {
  const joined: Growing[] = [];
  for (const { text, weight } of parts) {
    const last = joined.at(-1);
    if (last?.weight === weight) last.text += text;
    else joined.push({ text, weight });
  }
  return joined.length > 0 ? joined : [{ text: "", weight: 1 }];
}
