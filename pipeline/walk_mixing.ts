/**
 * What lies between two encoded prompts and between two noises.
 *
 * @module
 */

import { slerp } from "../schedulers/random/mix.ts";
import type { Conditioning } from "./text_conditioning.ts";

/** A straight line, or an arc that keeps the length: see `slerp`. */
export type Mixing = "linear" | "spherical";

/** Names of both mixings. */
export const MIXINGS: readonly Mixing[] = ["linear", "spherical"];

/** Two noises mixed, Float32Arrays of equal length; `share` is 0 at `from`, 1 at `to`. */
export function mixNoise(
  mixing: Mixing,
  from: Float32Array,
  to: Float32Array,
  share: number,
): Float32Array {
  return mixing === "spherical" ? slerp(from, to, share) : lerp(from, to, share);
}

/**
 * Two encoded prompts mixed token by token; a pooled state is mixed the same way.
 *
 * The shorter one is filled up with `empty`, the encoded empty prompt.
 */
export function mixConditioning(
  mixing: Mixing,
  from: Conditioning,
  to: Conditioning,
  share: number,
  empty: Conditioning,
): Conditioning {
  const tokens = Math.max(from.tokens, to.tokens), { width } = from;
  const a = filledUp(from, tokens, empty), b = filledUp(to, tokens, empty);
  const hiddenStates = new Float32Array(tokens * width);
  for (let at = 0; at < hiddenStates.length; at += width) {
    const x = a.subarray(at, at + width), y = b.subarray(at, at + width);
    hiddenStates.set(mixNoise(mixing, x, y, share), at);
  }
  const pooled = from.pooled && to.pooled && mixNoise(mixing, from.pooled, to.pooled, share);
  return {
    hiddenStates,
    tokens,
    width,
    truncated: share < 0.5 ? from.truncated : to.truncated,
    ...(pooled && { pooled }),
  };
}

/** Float32Array [tokens, width], its end taken from the empty prompt where it is too short. */
function filledUp(prompt: Conditioning, tokens: number, empty: Conditioning): Float32Array {
  if (prompt.tokens === tokens) return prompt.hiddenStates;
  const states = new Float32Array(tokens * prompt.width);
  for (let at = prompt.hiddenStates.length; at < states.length;) {
    const part = empty.hiddenStates.subarray(0, states.length - at);
    states.set(part, at);
    at += part.length;
  }
  states.set(prompt.hiddenStates);
  return states;
}

function lerp(from: Float32Array, to: Float32Array, share: number): Float32Array {
  return from.map((x, i) => (1 - share) * x + share * to[i]!);
}
