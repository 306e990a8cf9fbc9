/**
 * Attention to tokens as maps of words.
 *
 * @module
 */

import type { Image } from "../pipeline/image.ts";
import type { ClipTokenizer } from "../pipeline/tokenizer.ts";
import { cosine, moments } from "./measure.ts";

/** How much each place of a square looks at a word, Float32Array [side, side]. */
export interface WordMap {
  readonly word: string;
  readonly map: Float32Array;
}

/** The mean of `layers` [tokens, places] with the most places, for each word of `prompt`. */
export function wordMaps(
  tokenizer: ClipTokenizer,
  prompt: string,
  layers: readonly Float32Array[],
): { side: number; maps: WordMap[]; sumError: number } {
  const { ids, eosIndex } = tokenizer.encode(prompt), tokens = ids.length;
  const places = Math.max(...layers.map(({ length }) => length)) / tokens;
  const fine = layers.filter(({ length }) => length === places * tokens);
  const mean = fine[0]!.map((_, i) => fine.reduce((sum, map) => sum + map[i]!, 0) / fine.length);
  const pieces = tokenizer.tokens(ids), maps: WordMap[] = [];
  let word = "", map = new Float32Array(places);
  for (let t = 1; t < eosIndex; t++) {
    word += pieces[t]!.replace("</w>", "");
    for (let p = 0; p < places; p++) map[p]! += mean[t * places + p]!;
    if (!pieces[t]!.endsWith("</w>")) continue;
    maps.push({ word, map });
    word = "";
    map = new Float32Array(places);
  }
  let sumError = 0;
  for (let p = 0; p < places; p++) {
    let sum = 0;
    for (let t = 0; t < tokens; t++) sum += mean[t * places + p]!;
    sumError = Math.max(sumError, Math.abs(sum - 1));
  }
  return { side: Math.sqrt(places), maps, sumError };
}

/** How far each place's colour is from the corner's, Float32Array [side, side], 0 to 255. */
export function inkOf(image: Image, side: number): Float32Array {
  const { data } = image.withoutAlpha().resize(side, side, "bilinear");
  return Float32Array.from({ length: side * side }, (_, p) => {
    const far = [0, 1, 2].map((c) => Math.abs(data[3 * p + c]! - data[c]!));
    return Math.max(...far);
  });
}

/** Pearson's correlation of two lists of numbers: the cosine of what differs from their means. */
export function correlation(a: Float32Array, b: Float32Array): number {
  const centered = (list: Float32Array) => {
    const { mean } = moments(list);
    return Float64Array.from(list, (value) => value - mean);
  };
  return cosine(centered(a), centered(b));
}
