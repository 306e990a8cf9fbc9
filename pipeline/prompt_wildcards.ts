/**
 * Wildcards: `{red|blue}` and `__animal__` become one of their choices.
 *
 * @module
 */

import { join } from "node:path";

/** Where choices come from. */
export interface WildcardOptions {
  /** Equal seeds choose equally. */
  readonly seed: number | bigint;
  /** Lines to choose from for `__name__`; throws where there are none of that name. */
  readonly lines?: ((name: string) => readonly string[]) | undefined;
}

/** How often choices may hold choices: beyond, a file most likely names itself. */
const DEPTH = 20;

/**
 * Replaces `{a|b}` by a choice (`{2::a|b}` takes a twice as often) and `__name__` by a line of
 * that wildcard; choices may hold further ones. `\{` is a bracket.
 *
 * @throws {RangeError} where a wildcard has no lines, or its choices never end.
 */
export function expandWildcards(prompt: string, { seed, lines }: WildcardOptions): string {
  const random = randomOf(seed);
  const pattern = lines
    ? /(?<!\\)\{([^{}]*\|[^{}]*)\}|__([\w/-]+?)__/
    : /(?<!\\)\{([^{}]*\|[^{}]*)\}/;
  let text = prompt;
  for (let found = 0; pattern.test(text); found++) {
    if (found === DEPTH * 100) {
      throw new RangeError(`Cannot expand ${JSON.stringify(prompt)}: its wildcards never end.`);
    }
    text = text.replace(pattern, (_, choices: string | undefined, name: string) => {
      if (choices !== undefined) return pick(choices.split("|").map(weighted), random);
      const all = lines!(name);
      if (all.length === 0) throw new RangeError(`Cannot expand __${name}__: it has no lines.`);
      return pick(all.map(weighted), random);
    });
  }
  return text;
}

/** The lines of `FOLDER/name.txt`, without empty ones and `# comments`. */
export function wildcardLines(folder: string): (name: string) => string[] {
  return (name) => {
    const path = join(folder, `${name}.txt`);
    let text: string;
    try {
      text = Deno.readTextFileSync(path);
    } catch (cause) {
      if (!(cause instanceof Deno.errors.NotFound)) throw cause;
      throw new RangeError(`Cannot expand __${name}__: there is no ${path}.`, { cause });
    }
    return text.split(/\r?\n/).map((line) => line.trim())
      .filter((line) => line !== "" && !line.startsWith("#"));
  };
}

interface Choice {
  readonly text: string;
  readonly weight: number;
}

/** `2::text` to a text of weight 2. */
function weighted(choice: string): Choice {
  const [, weight, text] = /^\s*(\d+\.?\d*|\.\d+)::(.*)$/s.exec(choice) ?? [];
  return text === undefined ? { text: choice, weight: 1 } : { text, weight: Number(weight) };
}

function pick(choices: readonly Choice[], random: () => number): string {
  let at = random() * choices.reduce((sum, { weight }) => sum + weight, 0);
  for (const { text, weight } of choices) {
    if ((at -= weight) < 0) return text;
  }
  return choices.at(-1)!.text;
}

/** Uniform numbers in 0..1 of a seed: the mulberry32 generator. */
function randomOf(seed: number | bigint): () => number {
  let state = Number(BigInt.asUintN(32, BigInt(seed) ^ (BigInt(seed) >> 32n)));
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
