/** A stream of standard normal numbers; each call continues where the last one ended. */
export interface NormalSource {
  /** The next `count` draws of N(0, 1), as one tensor of `count` elements would receive them. */
  normal(count: number): Float32Array;
}

/** Throws a RangeError unless `count` is a whole number of elements that an array can hold. */
export function assertCount(count: number): void {
  if (!Number.isSafeInteger(count) || count < 0) {
    throw new RangeError(
      `Cannot draw random numbers: the count must be a whole number; got ${count}, expected 0 or more.`,
    );
  }
}
