/**
 * `latent explain tokenizer`: from text to numbers.
 *
 * @module
 */

import { clipMerges, withMerge } from "../pipeline/clip_vocabulary.ts";
import { ClipTokenizer } from "../pipeline/tokenizer.ts";
import { atLeast, type Report } from "./report.ts";
import type { Laboratory, Topic } from "./topic.ts";

const TEXTS = [
  "a photograph of an astronaut riding a horse",
  "trending on artstation, 8k, octane render",
  "antidisestablishmentarianism",
  "ein Leuchtturm im Morgengrauen",
  "naïve café",
  "🦀",
];
const WORD = "lighthouse", KNOWN = [0, 100, 300, 1000, 3000, 10_000, 48_894];

/** What one merge made of a word. */
interface Merge {
  readonly rank: number;
  readonly pieces: readonly string[];
}

async function run({ parts, prompt }: Laboratory): Promise<Report> {
  const clip = await ClipTokenizer.clip(), own = parts.textEncoders[0]!.tokenizer;
  const merges = await clipMerges();
  const ranks = new Map(merges.map(([left, right], rank) => [`${left} ${right}`, rank]));
  const steps = mergesOf(WORD, ranks), text = TEXTS[0]!, words = text.split(" ");
  const framed = own.encode(prompt);
  const counts = KNOWN.map((known) =>
    [
      Math.max(known, 1),
      words.reduce((sum, word) => sum + mergesOf(word, ranks, known).at(-1)!.pieces.length, 0),
    ] as const
  );
  return {
    topic: "tokenizer",
    title: "Tokenizer",
    summary: "Networks take numbers. A tokenizer cuts a text into pieces that it knows and gives " +
      "each its number: common words are one piece, rare ones several, and anything at all can " +
      "be said in bytes. Which pieces there are was found by counting: again and again, the pair " +
      "that stood together most often became one piece.",
    blocks: [
      {
        kind: "table",
        caption: `"${prompt}" as this model's text encoder gets it: ${framed.ids.length} numbers`,
        columns: ["place", "id", "piece"],
        rows: own.tokens(framed.ids).slice(0, framed.eosIndex + 2)
          .map((piece, i) => [String(i), String(framed.ids[i]), piece]),
      },
      {
        kind: "table",
        caption: "Other texts in CLIP's full vocabulary of 49,408 pieces",
        columns: ["text", "pieces", "how it is cut"],
        rows: TEXTS.map((text) => {
          const ids = clip.encodeText(text);
          return [text, ids.length, clip.tokens(ids).map(shown).join(" ")];
        }),
      },
      {
        kind: "table",
        caption: `"${WORD}", merge by merge: the pair with the lowest rank goes first`,
        columns: ["rank of the merge", "pieces"],
        rows: steps.map(({ rank, pieces }) => [rank < 0 ? "" : String(rank), pieces.join(" ")]),
      },
      {
        kind: "plot",
        caption: `Pieces of "${text}", by how many merges are known`,
        x: { label: "merges known", log: true },
        y: { label: "pieces" },
        series: [{ name: "pieces", points: counts }],
      },
    ],
    claims: [
      {
        text: "The merges done by hand end in the tokenizer's own pieces",
        holds: words.every((word) =>
          mergesOf(word, ranks).at(-1)!.pieces.join() === clip.tokens(clip.encodeText(word)).join()
        ),
        measured: `${words.length} words compared`,
      },
      {
        text: "Nothing is lost but case and white space: pieces decode to the text",
        holds: TEXTS.every((text) =>
          clip.decode(clip.encodeText(text)).replaceAll(" ", "") ===
            text.normalize("NFC").toLowerCase().replaceAll(" ", "")
        ),
        measured: `${TEXTS.length} texts compared`,
      },
      atLeast(
        "Merges make texts shorter (characters, of pieces)",
        counts[0]![1] / counts.at(-1)![1],
        3,
      ),
      {
        text: "A prompt fills its window: start, pieces, end, padding",
        holds: framed.ids.length === own.maxLength && framed.ids[0] === own.bos &&
          framed.ids[framed.eosIndex] === own.eos,
        measured: `${framed.ids.length} numbers`,
      },
    ],
    formulas: [{
      text: "while a pair (l, r) has a rank:  replace l r by lr, lowest rank first",
      symbols: { "rank": "how early the pair was merged when the vocabulary was made" },
      file: "pipeline/tokenizer.ts",
      symbol: "ClipTokenizer",
    }],
    papers: [
      "Sennrich, Haddow, Birch 2015, Neural Machine Translation of Rare Words with Subword Units, arXiv:1508.07909",
      "Radford et al. 2021, Learning Transferable Visual Models, arXiv:2103.00020",
    ],
  };
}

/** A word of plain letters, from single letters on: every merge, lowest rank first. */
function mergesOf(word: string, ranks: ReadonlyMap<string, number>, known = Infinity): Merge[] {
  let pieces = [...word].map((letter, i) => i === word.length - 1 ? `${letter}</w>` : letter);
  const steps: Merge[] = [{ rank: -1, pieces }];
  while (true) {
    const pairs = pieces.slice(1).map((right, i) => ({
      at: i,
      rank: ranks.get(`${pieces[i]} ${right}`) ?? Infinity,
    }));
    const best = pairs.reduce((a, b) => b.rank < a.rank ? b : a, { at: -1, rank: Infinity });
    if (best.rank >= known || best.rank === Infinity) return steps;
    pieces = withMerge(pieces, [pieces[best.at]!, pieces[best.at + 1]!]);
    steps.push({ rank: best.rank, pieces });
  }
}

/** A piece as people read it: the end of a word as a dot. */
function shown(piece: string): string {
  return piece.replace("</w>", "·");
}

/** From text to numbers. */
export const tokenizer: Topic = { run };
