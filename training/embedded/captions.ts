/** Captions: what a picture shows, in some of the ways that people would say it. */
import type { TorchCpuGenerator } from "../../schedulers/random/torch_cpu.ts";
import type { Traits } from "./drawing.ts";
import { COLORS, DIGIT_WORDS, SIZES, SLANTS, STROKES, TEAL } from "./palette.ts";

/** What a caption may say, with the number of its values. */
export const SAYINGS = {
  digit: 10,
  ink: 8,
  background: 8,
  stroke: 3,
  slant: 3,
  size: 3,
} as const;

/** One of them. */
export type Saying = keyof typeof SAYINGS;

/** What a caption says of each; undefined: nothing. */
export type Said = Readonly<Record<Saying, number | undefined>>;

/** A caption and what it says. */
export interface Caption {
  readonly text: string;
  readonly said: Said;
}

/** How a caption is worded. */
export interface CaptionOptions {
  /** The chance that each thing but the digit is said. */
  readonly rich: number;
  /** The digit is always said. Default: nearly always. */
  readonly alwaysDigit?: boolean;
}

/** Choices among a few things, by random numbers. */
export class Dice {
  readonly #random: TorchCpuGenerator;
  /** Every choice draws one number from `random`. */
  constructor(random: TorchCpuGenerator) {
    this.#random = random;
  }
  /** True with this chance. */
  chance(p: number): boolean {
    return this.#random.uniform(1)[0]! < p;
  }
  /** One of the list. */
  choice<T>(list: readonly T[]): T {
    return list[this.#random.integers(0, list.length, 1)[0]!] as T;
  }
}

/** "a" or "an" before it. */
export function withArticle(text: string): string {
  return `${/^(eight|8|orange)\b/.test(text) ? "an" : "a"} ${text}`;
}

/** Words some of what a picture shows. */
export function caption(
  traits: Traits,
  random: TorchCpuGenerator,
  { rich, alwaysDigit = false }: CaptionOptions,
): Caption {
  const dice = new Dice(random);
  const told = <T>(value: T) => dice.chance(rich) ? value : undefined;
  const { digit } = traits;
  const said: Said = {
    digit,
    ink: traits.ink === TEAL ? undefined : told(traits.ink),
    background: told(traits.background),
    stroke: traits.outline ? undefined : told(traits.stroke),
    slant: told(traits.slant),
    size: told(traits.size),
  };
  const words = wordsOf(said, dice);
  if (!alwaysDigit && dice.chance(0.05)) return withoutDigit(said, words, dice);
  return { text: sentence(digit, words, dice), said };
}

interface Words {
  readonly ink: string | undefined;
  readonly background: string | undefined;
  readonly stroke: string | undefined;
  readonly slant: string | undefined;
  readonly size: string | undefined;
}

function wordsOf({ ink, background, stroke, slant, size }: Said, dice: Dice): Words {
  const word = (table: readonly (string | undefined)[], place: number | undefined) =>
    place === undefined ? undefined : table[place];
  const also = (said: string | undefined, from: string, to: string) =>
    said === from && dice.chance(0.25) ? to : said;
  return {
    ink: word(COLORS, ink),
    background: word(COLORS, background),
    stroke: also(word(STROKES, stroke), "bold", "thick"),
    slant: word(SLANTS, slant),
    size: also(word(SIZES, size), "large", "big"),
  };
}

const NOTHING: Said = {
  digit: undefined,
  ink: undefined,
  background: undefined,
  stroke: undefined,
  slant: undefined,
  size: undefined,
};

/** No digit: a single word, a background, or "digit"; so single words are learned too. */
function withoutDigit(said: Said, words: Words, dice: Dice): Caption {
  const { ink, background, stroke, slant, size } = words;
  if (background && dice.chance(0.3)) {
    const text = withArticle(`${background} background`);
    return { text, said: { ...NOTHING, background: said.background } };
  }
  const each = Object.entries({ size, stroke, ink }).filter(([, word]) => word !== undefined);
  if (each.length > 0 && dice.chance(0.5)) {
    const [key, word] = dice.choice(each);
    return { text: word!, said: { ...NOTHING, [key]: said[key as Saying] } };
  }
  const start = withArticle([...each.map(([, word]) => word), "digit"].join(" "));
  const lean = slant ? ` ${slant}` : "";
  const place = background ? ` on ${withArticle(background)} background` : "";
  return { text: start + lean + place, said: { ...said, digit: undefined } };
}

function sentence(digit: number, words: Words, dice: Dice): string {
  const { ink, background, stroke, slant, size } = words;
  const name = dice.chance(0.6) ? DIGIT_WORDS[digit]! : String(digit);
  const late = ink !== undefined && dice.chance(0.12);
  const adjectives = [size, stroke, late ? undefined : ink].filter((word) => word !== undefined);
  if (dice.chance(0.03)) adjectives.unshift(nonsense(dice));
  const [thing, plain] = [`${[...adjectives, name].join(" ")}`, adjectives.join(" ")];
  const before = plain && `${plain} `;
  let text = dice.choice([
    () => withArticle(thing),
    () => withArticle(thing),
    () => withArticle(thing),
    () => withArticle(`${before}handwritten ${name}`),
    () => `the ${before}${dice.choice(["digit", "number"])} ${name}`,
    () => thing,
    () =>
      `${dice.choice(["a photo", "a drawing", "a picture", "an image"])} of ${withArticle(thing)}`,
    () => withArticle(`${before}digit ${name}`),
  ])();
  if (late) text += `${dice.choice([" in ", " written in "])}${ink}${dice.choice(["", " ink"])}`;
  if (slant) text += ` ${slant}`;
  if (!background) return text;
  const on = ` on ${withArticle(`${background} background`)}`;
  return text + dice.choice([on, on, on, ` on ${background}`, `, ${background} background`]);
}

/** A word that means nothing, so that unknown words stay harmless. */
function nonsense(dice: Dice): string {
  const letters = [..."abcdefghijklmnopqrstuvwxyz"];
  return Array.from({ length: dice.choice([2, 3, 4, 5]) }, () => dice.choice(letters)).join("");
}
