/**
 * Decoding in overlapping tiles, whose seams are blended: memory by the tile, not by the picture.
 *
 * @module
 */

import type { Latents } from "./autoencoder.ts";

/** Sizes of the tiles. */
export interface Tiling {
  /** Side of a tile in latents. */
  readonly side: number;
  /** Part of a tile's side that it shares with its neighbour, 0 to 1. diffusers: 0.25. */
  readonly overlap: number;
  /** Pixels to a latent. */
  readonly factor: number;
}

/** A decoded tile: Float32Array [3, height, width]. */
interface Tile {
  readonly data: Float32Array;
  readonly height: number;
  readonly width: number;
}

/** Decodes one tile to Float32Array [3, factor * height, factor * width]. */
export type DecodeTile = (tile: Latents) => Promise<Float32Array>;

/**
 * The whole picture, Float32Array [3, height, width] in pixels, from tiles as diffusers' AutoencoderKL
 * cuts and blends them (`tiled_decode`). Holds one row of tiles beside the result.
 */
export async function decodeTiled(
  latents: Latents,
  { side, overlap, factor }: Tiling,
  decode: DecodeTile,
): Promise<Float32Array> {
  const step = Math.trunc(side * (1 - overlap)), blend = Math.trunc(side * factor * overlap);
  const kept = side * factor - blend;
  const width = latents.width * factor, height = latents.height * factor;
  const picture = new Float32Array(3 * width * height);
  let above: Tile[] = [];
  for (let top = 0, y = 0; top < latents.height; top += step, y += kept) {
    const row: Tile[] = [];
    for (let left = 0, x = 0; left < latents.width; left += step, x += kept) {
      const part = cut(latents, left, top, side);
      const tile = {
        data: (await decode(part)).slice(),
        height: part.height * factor,
        width: part.width * factor,
      };
      const upper = above[row.length], before = row.at(-1);
      if (upper) blendDown(upper, tile, blend);
      if (before) blendRight(before, tile, blend);
      paste(tile, kept, picture, { x, y, width, height });
      row.push(tile);
    }
    above = row;
  }
  return picture;
}

/** The square of latents at a place, smaller at the edges. */
function cut(latents: Latents, left: number, top: number, side: number): Latents {
  const { channels } = latents;
  const width = Math.min(side, latents.width - left), height = Math.min(side, latents.height - top);
  const data = new Float32Array(channels * width * height);
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < height; y++) {
      const from = (c * latents.height + top + y) * latents.width + left;
      data.set(latents.data.subarray(from, from + width), (c * height + y) * width);
    }
  }
  return { channels, width, height, data };
}

/** Fades the last rows of `upper` into the first of `tile`. */
function blendDown(upper: Tile, tile: Tile, extent: number): void {
  const rows = Math.min(upper.height, tile.height, extent);
  for (let c = 0; c < 3; c++) {
    for (let y = 0; y < rows; y++) {
      const from = (c * upper.height + upper.height - rows + y) * upper.width;
      const to = (c * tile.height + y) * tile.width, share = y / rows;
      for (let x = 0; x < tile.width; x++) {
        tile.data[to + x] = upper.data[from + x]! * (1 - share) + tile.data[to + x]! * share;
      }
    }
  }
}

/** Fades the last columns of `before` into the first of `tile`. */
function blendRight(before: Tile, tile: Tile, extent: number): void {
  const columns = Math.min(before.width, tile.width, extent);
  for (let row = 0; row < 3 * tile.height; row++) {
    const from = (row + 1) * before.width - columns, to = row * tile.width;
    for (let x = 0; x < columns; x++) {
      const share = x / columns;
      tile.data[to + x] = before.data[from + x]! * (1 - share) + tile.data[to + x]! * share;
    }
  }
}

/** Copies at most `kept` rows and columns of a tile to its place in the picture. */
function paste(
  tile: Tile,
  kept: number,
  picture: Float32Array,
  at: { readonly x: number; readonly y: number; readonly width: number; readonly height: number },
): void {
  const rows = Math.min(kept, tile.height, at.height - at.y);
  const columns = Math.min(kept, tile.width, at.width - at.x);
  for (let c = 0; c < 3; c++) {
    for (let y = 0; y < rows; y++) {
      const from = (c * tile.height + y) * tile.width;
      const to = (c * at.height + at.y + y) * at.width + at.x;
      picture.set(tile.data.subarray(from, from + Math.max(0, columns)), to);
    }
  }
}
