/**
 * The vocabulary of all of CLIP's text encoders, from `assets/clip`.
 *
 * @module
 */

import { parseMerges } from "./tokenizer_files.ts";

const LOCATION = new URL("../assets/clip/merges.txt.gz", import.meta.url);

/** CLIP's 48,894 merges, in order of priority. @throws {ModelFormatError} when they are damaged. */
export async function clipMerges(): Promise<[string, string][]> {
  // Read, not fetched, where it is a file: a compiled program has it inside, out of fetch's reach.
  const packed = LOCATION.protocol === "file:"
    ? new Blob([await Deno.readFile(LOCATION)]).stream()
    : (await fetched(LOCATION)).body!;
  const text = await new Response(packed.pipeThrough(new DecompressionStream("gzip"))).text();
  return parseMerges(text, LOCATION.href);
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

async function fetched(url: URL): Promise<Response> {
  const response = await fetch(url);
  if (response.ok) return response;
  throw new Error(`Cannot load ${url}: the server answered ${response.status}.`);
}
