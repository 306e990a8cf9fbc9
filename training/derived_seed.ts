/**
 * A seed of 32 bits for one purpose and one number of a run, so that what is drawn for step 700
 * does not depend on the steps before it: a resumed run draws the same.
 */
export function derivedSeed(seed: number, index: number, purpose: string): number {
  let h = mix(seed >>> 0, Math.floor(seed / 2 ** 32));
  h = mix(h, index);
  for (let i = 0; i < purpose.length; i++) h = mix(h, purpose.charCodeAt(i));
  return h;
}

/** One round of MurmurHash3 (Appleby 2011) with its final avalanche. */
function mix(h: number, value: number): number {
  let k = Math.imul(value | 0, 0xcc9e2d51);
  k = Math.imul(k << 15 | k >>> 17, 0x1b873593);
  let x = h ^ k;
  x = Math.imul(x << 13 | x >>> 19, 5) + 0xe6546b64;
  x = Math.imul(x ^ x >>> 16, 0x85ebca6b);
  x = Math.imul(x ^ x >>> 13, 0xc2b2ae35);
  return (x ^ x >>> 16) >>> 0;
}
