/**
 * A picture in overlapping tiles of one size.
 *
 * @module
 */

interface Size {
  readonly width: number;
  readonly height: number;
}

/** A tile: where it begins, and which pixels of the picture it decides. */
export interface Tile {
  readonly x: number;
  readonly y: number;
  /** Within the picture; the parts of all tiles together are the picture, each pixel once. */
  readonly keep: {
    readonly left: number;
    readonly top: number;
    readonly right: number;
    readonly bottom: number;
  };
}

/**
 * Tiles of `side` that overlap by at least `overlap` pixels on inner borders; none begins outside,
 * and none ends outside unless the picture is smaller than a tile.
 *
 * @throws {RangeError} where the overlap leaves nothing of a tile.
 */
export function planTiles(image: Size, side: Size, overlap: number): Tile[] {
  const columns = axis(image.width, side.width, overlap);
  const rows = axis(image.height, side.height, overlap);
  return rows.flatMap((row) =>
    columns.map((column) => ({
      x: column.at,
      y: row.at,
      keep: { left: column.from, right: column.to, top: row.from, bottom: row.to },
    }))
  );
}

interface Strip {
  readonly at: number;
  readonly from: number;
  readonly to: number;
}

function axis(length: number, side: number, overlap: number): Strip[] {
  if (length <= side) return [{ at: 0, from: 0, to: length }];
  if (!(overlap >= 0 && overlap * 2 < side)) {
    throw new RangeError(
      `Cannot make tiles of ${side} pixels: an overlap of ${overlap} leaves nothing of them. ` +
        "Take larger tiles or less overlap.",
    );
  }
  const count = Math.ceil((length - overlap) / (side - overlap));
  const starts = Array.from(
    { length: count },
    (_, i) => Math.round((i * (length - side)) / (count - 1)),
  );
  // The seam lies in the middle of what two tiles share.
  const seam = (i: number) => (starts[i]! + starts[i - 1]! + side) >> 1;
  return starts.map((at, i) => ({
    at,
    from: i === 0 ? 0 : seam(i),
    to: i === count - 1 ? length : seam(i + 1),
  }));
}
