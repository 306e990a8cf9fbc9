const LOWEST = -(2n ** 63n);
const HIGHEST = 2n ** 64n - 1n;

/**
 * A seed as torch stores it: 64 bits, unsigned; negative seeds wrap around (two's complement).
 *
 * Throws a TypeError for a number that is not whole or that a double cannot hold exactly, and a
 * RangeError outside -2^63 ... 2^64 - 1, the range that `torch.Generator.manual_seed` takes.
 */
export function seed64(seed: number | bigint): bigint {
  if (typeof seed === "number" && !Number.isSafeInteger(seed)) {
    throw new TypeError(
      `Cannot use the seed: it must be a whole number; got ${seed}, expected an integer up to ` +
        `2^53 - 1 in size. Pass a bigint for larger ones.`,
    );
  }
  const value = BigInt(seed);
  if (value < LOWEST || value > HIGHEST) {
    throw new RangeError(
      `Cannot use the seed: it needs more than 64 bits; got ${value}, expected ${LOWEST} to ${HIGHEST}.`,
    );
  }
  return BigInt.asUintN(64, value);
}
