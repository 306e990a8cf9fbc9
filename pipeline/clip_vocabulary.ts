/**
 * The vocabulary of all of CLIP's text encoders, from `assets/clip`.
 *
 * @module
 */

import { join } from "node:path";
import { assetFolder } from "./assets.ts";
import { parseMerges } from "./tokenizer_files.ts";

/** CLIP's 48,894 merges, in order of priority. @throws {ModelFormatError} when they are damaged. */
export async function clipMerges(): Promise<[string, string][]> {
  const path = join(await assetFolder("clip"), "merges.txt.gz");
  const packed = new Blob([await Deno.readFile(path)]).stream();
  const text = await new Response(packed.pipeThrough(new DecompressionStream("gzip"))).text();
  return parseMerges(text, path);
}

/** The pieces of a word with one pair merged, wherever it stands. */
export function withMerge(
  pieces: readonly string[],
  [left, right]: readonly [string, string],
): string[] {
  const out: string[] = [];
  for (let i = 0; i < pieces.length; i++) {
    if (pieces[i] === left && pieces[i + 1] === right) out.push(left + pieces[++i]);
    else out.push(pieces[i]!);
  }
  return out;
}

/** The ids: bytes, bytes that end words, merges, then start and end of text. */
export function clipVocabulary(
  merges: readonly (readonly [string, string])[],
): Record<string, number> {
  const bytes = byteAlphabet();
  const tokens = [
    ...bytes,
    ...bytes.map((byte) => byte + "</w>"),
    ...merges.map(([left, right]) => left + right),
    "<|startoftext|>",
    "<|endoftext|>",
  ];
  return Object.fromEntries(tokens.map((token, id) => [token, id]));
}

/** The character that stands for each byte, those of printable bytes first (GPT-2, encoder.py). */
function byteAlphabet(): string[] {
  const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
  const printable = [...range(33, 127), ...range(161, 173), ...range(174, 256)];
  return [...printable, ...range(256, 512 - printable.length)].map((n) => String.fromCharCode(n));
}
