/**
 * Walking at a constant speed to the eye: a few pilot pictures tell how much changes where, and
 * the frames are set closer where much does.
 *
 * @module
 */

import type { Image } from "./image.ts";
import type { Pace } from "./walk_path.ts";

/** Side that pictures are compared at: what changes below it is texture rather than motion. */
const COMPARED_SIDE = 64;

/** Least share of the mean change that an interval counts with, so that no place is skipped. */
const LEAST_CHANGE = 0.05;

/** Root mean square difference of two pictures of one size, 0 to 255, as seen from afar. */
export function pictureChange(a: Image, b: Image): number {
  const x = small(a).data, y = small(b).data;
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += (x[i]! - y[i]!) ** 2;
  return Math.sqrt(sum / x.length);
}

function small(image: Image): Image {
  const scale = Math.min(1, COMPARED_SIDE / Math.max(image.width, image.height));
  if (scale === 1) return image;
  const side = (length: number) => Math.max(1, Math.round(length * scale));
  return image.resize(side(image.width), side(image.height), "bilinear");
}

/** A place on the walk, and how much the picture changes from there to the next pilot. */
interface Pilot {
  readonly place: number;
  readonly image: Image;
}

/**
 * Measures a walk with `pilots` pictures: its stops first (`legs` + 1 of them), then always the
 * middle of the interval over which the picture changes most.
 */
export async function measurePace(
  draw: (place: number) => Promise<Image>,
  { legs, pilots }: { readonly legs: number; readonly pilots: number },
): Promise<Pace> {
  const drawn: Pilot[] = [];
  for (let leg = 0; leg <= legs; leg++) {
    drawn.push({ place: leg / legs, image: await draw(leg / legs) });
  }
  const changes = drawn.slice(1).map((pilot, i) => pictureChange(drawn[i]!.image, pilot.image));
  while (drawn.length < pilots) {
    const widest = changes.indexOf(Math.max(...changes));
    const before = drawn[widest]!, after = drawn[widest + 1]!;
    const place = (before.place + after.place) / 2;
    const image = await draw(place);
    drawn.splice(widest + 1, 0, { place, image });
    changes.splice(
      widest,
      1,
      pictureChange(before.image, image),
      pictureChange(image, after.image),
    );
  }
  return paceOf(drawn.map(({ place }) => place), changes);
}

/** The pace at which the picture changes evenly, given the change between neighbouring places. */
export function paceOf(places: readonly number[], changes: readonly number[]): Pace {
  const mean = changes.reduce((sum, change) => sum + change, 0) / changes.length;
  const shares = [0];
  for (const [i, change] of changes.entries()) {
    // A floor by length: an interval in which nothing changes is crossed quickly, not skipped.
    const floor = LEAST_CHANGE * mean * (places[i + 1]! - places[i]!) * changes.length;
    shares.push(shares[i]! + Math.max(change, floor, Number.MIN_VALUE));
  }
  const total = shares.at(-1)!;
  const normal = mean === 0 ? places : shares.map((share) => share / total);
  return {
    at: (share) => follow(normal, places, share),
    shareAt: (place) => follow(places, normal, place),
  };
}

/** The broken line through the points (`xs`, `ys`), both rising, at `x`. */
function follow(xs: readonly number[], ys: readonly number[], x: number): number {
  const next = xs.findIndex((known, i) => i > 0 && x <= known);
  if (next < 0) return ys.at(-1)!;
  const x0 = xs[next - 1]!, y0 = ys[next - 1]!;
  return y0 + (ys[next]! - y0) * (x - x0) / (xs[next]! - x0);
}
