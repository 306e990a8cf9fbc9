const SIZE = 624;
const SHIFT = 397;

/** The state recurrence for word `k`: the top bit of one word joined to the low bits of the next. */
function twist(high: number, low: number): number {
  const mixed = (high & 0x80000000) | (low & 0x7fffffff);
  return (mixed >>> 1) ^ ((low & 1) === 0 ? 0 : 0x9908b0df);
}

/** The Mersenne Twister MT19937: 32 random bits a call (Matsumoto and Nishimura, 1998). */
export class Mt19937 {
  readonly #state = new Uint32Array(SIZE);
  #next = SIZE;

  /** Fills the state by Knuth's recurrence; only the low 32 bits of `seed` are used. */
  constructor(seed: number) {
    const state = this.#state;
    state[0] = seed;
    for (let k = 1; k < SIZE; k++) {
      const previous = state[k - 1]!;
      state[k] = Math.imul(previous ^ (previous >>> 30), 1812433253) + k;
    }
  }

  /** The next 32 bits, as a whole number in 0 ... 2^32 - 1. */
  nextUint32(): number {
    if (this.#next === SIZE) this.#refill();
    let y = this.#state[this.#next++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    y ^= y >>> 18;
    return y >>> 0;
  }

  #refill(): void {
    const s = this.#state;
    for (let k = 0; k < SIZE; k++) {
      s[k] = s[(k + SHIFT) % SIZE]! ^ twist(s[k]!, s[(k + 1) % SIZE]!);
    }
    this.#next = 0;
  }
}
