/** What {@linkcode seedSequence} hashes. */
export interface SeedSequenceOptions {
  /** The seed: a whole number, 0 or more, of any size. */
  readonly entropy: number | bigint;
  /** The place in a tree of generators; each a whole number, 0 or more. */
  readonly spawnKey?: readonly number[];
  /** Words of the pool; NumPy's default is 4. */
  readonly poolSize?: number;
}

/** A whole number as 32-bit words, the lowest first; zero is one word. */
function toWords(value: number | bigint): number[] {
  const words: number[] = [];
  let rest = BigInt(value);
  do {
    words.push(Number(rest & 0xffffffffn));
    rest >>= 32n;
  } while (rest > 0n);
  return words;
}

/** Words hashed with a constant that changes at every use. */
function hasher(constant: number, multiplier: number): (value: number) => number {
  return (value) => {
    const mixed = value ^ constant;
    constant = Math.imul(constant, multiplier);
    const product = Math.imul(mixed, constant);
    return (product ^ (product >>> 16)) >>> 0;
  };
}

function mix(x: number, y: number): number {
  const result = Math.imul(0xca01f9dd, x) - Math.imul(0x4973f715, y);
  return (result ^ (result >>> 16)) >>> 0;
}

/** The entropy spread over the pool so that every word depends on every other. */
function fillPool(entropy: readonly number[], size: number): Uint32Array {
  const hash = hasher(0x43b0d7e5, 0x931e8875);
  const pool = Uint32Array.from({ length: size }, (_, i) => hash(entropy[i] ?? 0));
  for (let from = 0; from < size; from++) {
    for (let to = 0; to < size; to++) {
      if (from !== to) pool[to] = mix(pool[to]!, hash(pool[from]!));
    }
  }
  for (const word of entropy.slice(size)) {
    for (let to = 0; to < size; to++) pool[to] = mix(pool[to]!, hash(word));
  }
  return pool;
}

/**
 * `numpy.random.SeedSequence(entropy, spawn_key, pool_size).generate_state(count)`: independent
 * 32-bit seeds for a tree of generators (O'Neill's seed_seq hash, NumPy's bit_generator.pyx).
 *
 * Throws a RangeError for a negative or fractional seed.
 */
export function seedSequence(count: number, options: SeedSequenceOptions): Uint32Array {
  const { entropy, spawnKey = [], poolSize = 4 } = options;
  if (entropy < 0 || (typeof entropy === "number" && !Number.isSafeInteger(entropy))) {
    throw new RangeError(
      `Cannot make seeds: the entropy must be a whole number, 0 or more; got ${entropy}.`,
    );
  }
  const words = toWords(entropy);
  if (spawnKey.length > 0) { while (words.length < poolSize) words.push(0); }
  const pool = fillPool([...words, ...spawnKey.flatMap(toWords)], poolSize);
  const hash = hasher(0x8b51f9dd, 0x58f38ded);
  return Uint32Array.from({ length: count }, (_, i) => hash(pool[i % poolSize]!));
}
