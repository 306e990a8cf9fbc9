/**
 * Where on a walk each frame lies. Pure numbers: a walk goes from 0 to 1 over its stops, which lie
 * evenly spaced unless a pace says otherwise.
 *
 * @module
 */

/** How fast a leg is walked: evenly, slow at both ends, slow at its start, slow at its end. */
export type Easing = "linear" | "smooth" | "in" | "out";

/** Names of all easings. */
export const EASINGS: readonly Easing[] = ["linear", "smooth", "in", "out"];

const CURVES: Readonly<Record<Easing, (t: number) => number>> = {
  linear: (t) => t,
  smooth: (t) => t * t * (3 - 2 * t),
  in: (t) => t * t,
  out: (t) => t * (2 - t),
};

/** A place between two neighbouring stops. */
export interface Leg {
  /** Index of the stop that the leg begins at. */
  readonly from: number;
  /** Index of the stop that it leads to; 0 on the last leg of a loop. */
  readonly to: number;
  /** 0 at `from`, 1 at `to`. */
  readonly share: number;
}

/** How many legs a walk over `stops` has; a loop has one more, back to its first stop. */
export function legCount(stops: number, loop: boolean): number {
  return stops === 1 ? 0 : loop ? stops : stops - 1;
}

/** The leg at `t`, 0 to 1, of a walk over `stops`. */
export function legAt(t: number, stops: number, loop: boolean): Leg {
  const legs = legCount(stops, loop);
  if (legs === 0) return { from: 0, to: 0, share: 0 };
  const from = Math.min(Math.floor(t * legs), legs - 1);
  return { from, to: (from + 1) % stops, share: t * legs - from };
}

/**
 * Where frame `index` of `frames` lies, 0 to 1: i / (n - 1), or i / n on a loop, whose last frame
 * leads to its first again. Each of `legs` legs is eased by itself.
 *
 * `pace` says where a walk that has gone a share of its way is; the shares at which it passes the
 * stops are asked of `pace.shareAt`. Default: even.
 */
export function positionOf(
  index: number,
  { frames, loop, legs, easing, pace = EVEN }: {
    readonly frames: number;
    readonly loop: boolean;
    readonly legs: number;
    readonly easing: Easing;
    readonly pace?: Pace;
  },
): number {
  const intervals = loop ? frames : frames - 1;
  const gone = intervals === 0 ? 0 : index / intervals;
  if (easing === "linear" || legs === 0) return pace.at(gone);
  const stops = Array.from({ length: legs + 1 }, (_, leg) => pace.shareAt(leg / legs));
  const next = stops.findIndex((stop, i) => i > 0 && gone <= stop);
  const start = stops[next - 1]!, length = stops[next]! - start;
  return pace.at(length === 0 ? start : start + length * CURVES[easing]((gone - start) / length));
}

/** The relation between the share of the way gone and the place reached, both 0 to 1. */
export interface Pace {
  /** The place reached after a share of the way. */
  at(share: number): number;
  /** The share of the way after which a place is reached. */
  shareAt(place: number): number;
}

/** Way and place are one. */
export const EVEN: Pace = { at: (share) => share, shareAt: (place) => place };
