/** The product of the dimensions; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/**
 * Checks that a shape is one and has `count` elements.
 * @param what names the elements in the message.
 * @throws {RangeError} if a dimension is negative or no integer, or the product differs from `count`.
 */
export function checkShape(
  shape: readonly number[],
  count: number | undefined,
  what: string,
): void {
  if (!Array.isArray(shape)) {
    throw new TypeError(`Cannot make a tensor: the shape is not an array; got ${typeof shape}.`);
  }
  const bad = shape.find((size) => !Number.isSafeInteger(size) || size < 0);
  if (bad !== undefined) {
    throw new RangeError(
      `Cannot make a tensor of shape [${shape}]: a dimension is no size; got ${bad}, ` +
        "expected an integer of at least 0.",
    );
  }
  if (count !== undefined && elementCount(shape) !== count) {
    throw new RangeError(
      `Cannot make a tensor of shape [${shape}]: the shape does not fit the data; ` +
        `got ${count} ${what}, expected ${elementCount(shape)}.`,
    );
  }
}
