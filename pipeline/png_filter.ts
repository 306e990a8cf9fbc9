/** PNG's row filters: each byte is stored as its difference from a guess (specification, 9.2). */

/** Of the three neighbours, the one nearest to left + above - corner. */
function paeth(left: number, above: number, corner: number): number {
  const estimate = left + above - corner;
  const toLeft = Math.abs(estimate - left);
  const toAbove = Math.abs(estimate - above);
  const toCorner = Math.abs(estimate - corner);
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}

/**
 * Undoes filter `kind` (0 to 4) of a row in place; `above` is the row before, `step` the distance in
 * bytes to the pixel on the left.
 */
export function unfilterRow(kind: number, row: Uint8Array, above: Uint8Array, step: number): void {
  if (kind === 0) return;
  for (let i = 0; i < row.length; i++) {
    const left = i < step ? 0 : row[i - step]!, up = above[i]!;
    if (kind === 1) row[i]! += left;
    else if (kind === 2) row[i]! += up;
    else if (kind === 3) row[i]! += (left + up) >> 1;
    else row[i]! += paeth(left, up, i < step ? 0 : above[i - step]!);
  }
}

/**
 * Applies filter `kind` (0 to 4) to a row, into `out`; returns the sum of the differences' sizes,
 * taken as signed bytes.
 */
export function filterRow(
  kind: number,
  row: Uint8ClampedArray,
  above: Uint8ClampedArray,
  step: number,
  out: Uint8Array,
): number {
  let cost = 0;
  for (let i = 0; i < row.length; i++) {
    const left = i < step ? 0 : row[i - step]!, up = above[i]!;
    let guess = 0;
    if (kind === 1) guess = left;
    else if (kind === 2) guess = up;
    else if (kind === 3) guess = (left + up) >> 1;
    else if (kind === 4) guess = paeth(left, up, i < step ? 0 : above[i - step]!);
    const difference = (row[i]! - guess) & 0xff;
    out[i] = difference;
    cost += difference < 128 ? difference : 256 - difference;
  }
  return cost;
}
