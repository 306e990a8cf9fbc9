/** Batches of pictures with captions for the CLIP pair, with hard negatives. */
import { CLIP_DEVIATION, CLIP_MEAN } from "../../models/clip_likeness.ts";
import type { ClipTokenizer } from "../../pipeline/tokenizer.ts";
import { TorchCpuGenerator } from "../../schedulers/random/torch_cpu.ts";
import { derivedSeed } from "../derived_seed.ts";
import type { Batch } from "../trainer.ts";
import { type Caption, caption, Dice, type Saying, SAYINGS } from "./captions.ts";
import { draw, drawTraits, SIDE, type Traits } from "./drawing.ts";
import type { Fields } from "./fields.ts";
import { DIGIT_WORDS, TEAL } from "./palette.ts";

/** Pictures of a group that are alike but for one thing. */
const GROUP = 16;
/** Whether picture `i` is of a group that stays as it was drawn, as one of four does: all different. */
const isMixed = (i: number) => Math.floor(i / GROUP) % 4 === 3;

/** Where a saying's answers lie in a row of 41: its values, then "not said". */
export const ANSWERS: Readonly<Record<Saying, { from: number; size: number }>> = (() => {
  let from = 0;
  const entries = Object.entries(SAYINGS).map(([key, count]) => {
    const place = { from, size: count + 1 };
    from += place.size;
    return [key, place];
  });
  return Object.fromEntries(entries);
})();
/** Answers to all sayings. */
export const ANSWER_COUNT: number = Object.values(ANSWERS).reduce((sum, { size }) => sum + size, 0);

/** Sayings in the order of their answers. */
export const KEYS = Object.keys(SAYINGS) as Saying[];

/** What batches are made from. */
export interface ContrastSource {
  readonly fields: Fields;
  readonly tokenizer: ClipTokenizer;
  readonly batch: number;
  readonly seed: number;
}

/** Batch `step` of pictures and captions; see `contrastGraph` for the arrays. */
export function contrastBatch(source: ContrastSource, step: number): Batch {
  const { fields, tokenizer, batch, seed } = source;
  const random = new TorchCpuGenerator(derivedSeed(seed, step, "contrast"));
  const traits = groups(fields, drawTraits(fields, batch, random), random);
  const { pictures } = draw(fields, traits, random);
  const captions = worded(traits, random);
  const ids = captions.map(({ text }) => tokenizer.encode(text).ids);
  return {
    pixel_values: normalized(pictures),
    input_ids: BigInt64Array.from(ids.flat(), BigInt),
    also_true: alsoTrue(traits, captions),
    digits: BigInt64Array.from(traits, ({ digit }) => BigInt(digit)),
    answers: answers(captions),
    places: places(ids, tokenizer),
  };
}

/** What a picture may differ in from its group's first: backgrounds twice as often as the others. */
const CHANGES = ["ink", "background", "background", "stroke", "slant", "size"] as const;

/**
 * Turns three of four groups into hard ones: the ten digits drawn alike, and six pictures that
 * differ in one other thing.
 */
function groups(fields: Fields, traits: Traits[], random: TorchCpuGenerator): Traits[] {
  const dice = new Dice(random);
  return traits.map((trait, i) => {
    if (isMixed(i)) return trait;
    const place = i % GROUP, first = traits[i - place]!;
    const ink = first.ink === TEAL ? (first.background + 1) % 8 : first.ink;
    const { background, stroke, slant, size } = first;
    const alike = { ...trait, ink, background, stroke, slant, size, outline: false };
    if (place < 10) {
      return { ...alike, digit: place, field: dice.choice(fields.byDigit[place]!) };
    }
    const key = dice.choice(CHANGES);
    const isColor = key === "ink" || key === "background";
    const taken = isColor ? [ink, background] : [alike[key]];
    const free = Array.from({ length: isColor ? 8 : 3 }, (_, k) => k).filter((k) =>
      !taken.includes(k)
    );
    return { ...alike, [key]: dice.choice(free) };
  });
}

/** Captions of one richness in a group; the digit is always said in hard ones. */
function worded(traits: readonly Traits[], random: TorchCpuGenerator): Caption[] {
  const out: Caption[] = [], dice = new Dice(random);
  for (let from = 0; from < traits.length; from += GROUP) {
    const alwaysDigit = !isMixed(from);
    const rich = dice.choice(alwaysDigit ? [0.5, 0.9, 1] : [0.35, 0.6, 0.9, 1]);
    for (const trait of traits.slice(from, from + GROUP)) {
      out.push(caption(trait, random, { rich, alwaysDigit }));
    }
  }
  return out;
}

/** -1e4 where a caption is true of another's picture, so that it is no negative; [B, B]. */
function alsoTrue(traits: readonly Traits[], captions: readonly Caption[]): Float32Array {
  const count = traits.length, out = new Float32Array(count * count);
  traits.forEach((trait, i) =>
    captions.forEach(({ said }, j) => {
      const isTrue = KEYS.every((key) => said[key] === undefined || said[key] === trait[key]);
      if (i !== j && isTrue) out[i * count + j] = -1e4;
    })
  );
  return out;
}

/** Ones at what each caption says, [B, 41]. */
function answers(captions: readonly Caption[]): Float32Array {
  const out = new Float32Array(captions.length * ANSWER_COUNT);
  captions.forEach(({ said }, i) => {
    for (const key of KEYS) {
      const { from, size } = ANSWERS[key];
      out[i * ANSWER_COUNT + from + (said[key] ?? size - 1)] = 1;
    }
  });
  return out;
}

/**
 * How much each saying counts at each token, [B, S, 6], a saying's sum being its share: all from the
 * end token on, the digit, which counts twice, from its own word on.
 */
function places(ids: readonly number[][], tokenizer: ClipTokenizer): Float32Array {
  const length = ids[0]!.length, keys = KEYS.length;
  const names = DIGIT_WORDS.flatMap((word, digit) => [word, String(digit)]);
  const digits = new Set(names.flatMap((name) => tokenizer.encodeText(name)));
  const out = new Float32Array(ids.length * length * keys),
    totals = new Array<number>(keys).fill(0);
  ids.forEach((row, i) => {
    const end = row.indexOf(tokenizer.eos), digit = row.findIndex((id) => digits.has(id));
    KEYS.forEach((key, k) => {
      const from = key === "digit" && digit >= 0 ? Math.min(digit, end) : end;
      for (let at = from; at < length; at++) out[(i * length + at) * keys + k] = 1;
      totals[k]! += length - from;
    });
  });
  const shares = KEYS.map((key, k) => (key === "digit" ? 2 : 1) / (7 * totals[k]!));
  return out.map((value, i) => value * shares[i % keys]!);
}

/** From -1..1 to what CLIP is fed. */
function normalized(pictures: Float32Array): Float32Array {
  const plane = SIDE * SIDE;
  return pictures.map((value, i) => {
    const c = Math.floor(i / plane) % 3;
    return ((value + 1) / 2 - CLIP_MEAN[c]!) / CLIP_DEVIATION[c]!;
  });
}
