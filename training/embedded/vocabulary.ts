/** The tokenizer's training: byte-level BPE (Sennrich et al. 2016, arXiv:1508.07909), as CLIP has it. */
import { clipVocabulary, withMerge } from "../../pipeline/clip_vocabulary.ts";

/** How often words occur in 6,000 captions, and 40 for words that are there to be known at all. */
// deno-fmt-ignore
const COUNTS: Readonly<Record<string, number>> = {
  red: 730, green: 722, blue: 656, yellow: 733, orange: 706, purple: 679, white: 671, black: 702,
  zero: 408, one: 427, two: 371, three: 385, four: 368, five: 345, six: 365, seven: 387, eight: 348,
  nine: 402, small: 975, large: 681, big: 259, thin: 945, bold: 647, thick: 272, leaning: 1784,
  left: 906, right: 918, on: 2226, a: 6406, an: 608, the: 708, of: 748, in: 344, with: 40,
  background: 2234, ink: 180, digit: 1315, number: 350, handwritten: 772, written: 176, photo: 201,
  picture: 220, drawing: 221, image: 226, style: 40, and: 40, not: 40, no: 40, is: 40, it: 40, to: 40,
  this: 40, that: 40, sketch: 40, "0": 216, "2": 235, "8": 215, "5": 198, "6": 242, "7": 232, "3": 244,
  "1": 242, "4": 225, "9": 212,
};

const END = "</w>";

/** Merges of two symbols, the most frequent pair of the words so far first, until words are whole. */
export function trainMerges(counts: Readonly<Record<string, number>> = COUNTS): [string, string][] {
  // Strings in the order of code points: pairs of equal count go by it.
  const words = Object.entries(counts).map(([word, count]) => ({
    symbols: [...word.slice(0, -1), word.slice(-1) + END],
    count,
  }));
  const merges: [string, string][] = [];
  for (;;) {
    const pair = mostFrequent(words);
    if (!pair) return merges;
    merges.push(pair);
    for (const word of words) word.symbols = withMerge(word.symbols, pair);
  }
}

function mostFrequent(words: readonly { symbols: readonly string[]; count: number }[]) {
  const totals = new Map<string, { pair: [string, string]; count: number }>();
  for (const { symbols, count } of words) {
    for (let i = 1; i < symbols.length; i++) {
      const pair: [string, string] = [symbols[i - 1]!, symbols[i]!], key = pair.join(" ");
      totals.set(key, { pair, count: count + (totals.get(key)?.count ?? 0) });
    }
  }
  const later = (a: [string, string], b: [string, string]) =>
    a[0] === b[0] ? a[1] > b[1] : a[0] > b[0];
  let best: { pair: [string, string]; count: number } | undefined;
  for (const entry of totals.values()) {
    const wins = !best || entry.count > best.count ||
      entry.count === best.count && later(entry.pair, best.pair);
    if (wins) best = entry;
  }
  return best?.pair;
}

/** The files of a tokenizer folder, by name. */
export function tokenizerFiles(merges: readonly (readonly [string, string])[], length: number) {
  const start = "<|startoftext|>", end = "<|endoftext|>";
  const special = { bos_token: start, eos_token: end, unk_token: end, pad_token: end };
  return {
    "vocab.json": JSON.stringify(clipVocabulary(merges)),
    "merges.txt": ["#version: 0.2", ...merges.map((m) => m.join(" ")), ""].join("\n"),
    "special_tokens_map.json": JSON.stringify(special, null, 2),
    "tokenizer_config.json": JSON.stringify(
      {
        tokenizer_class: "CLIPTokenizer",
        model_max_length: length,
        do_lower_case: true,
        errors: "replace",
        add_prefix_space: false,
        ...special,
      },
      null,
      2,
    ),
  };
}
