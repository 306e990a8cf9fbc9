/**
 * What a walk can be asked for, and the checks that need no model.
 *
 * @module
 */

import {
  DEFAULTS,
  type GenerateOptions,
  OptionError,
  randomSeed,
  requireInteger,
  requireNumber,
} from "./options.ts";
import { type Mixing, MIXINGS } from "./walk_mixing.ts";
import { type Easing, EASINGS } from "./walk_path.ts";

/** Options of `interpolate`: a walk over prompts, seeds and guidance scales, and every other option. */
export interface InterpolateOptions
  extends Omit<GenerateOptions, "prompt" | "seed" | "conditioning" | "noise" | "guidanceScale"> {
  /** The prompt of the first frame. */
  readonly from?: string;
  /** The prompt of the last frame. Default: `from`. */
  readonly to?: string;
  /** In place of `from` and `to`: every prompt that the walk passes, in order. */
  readonly prompts?: readonly string[];
  /** Seed of the first frame. Default: a random one. */
  readonly seed?: number | bigint;
  /** Seed of the last frame. Default: `seed`, so that only the prompt changes. */
  readonly toSeed?: number | bigint;
  /** In place of `seed` and `toSeed`: every seed that the walk passes. */
  readonly seeds?: readonly (number | bigint)[];
  /** Guidance scale, or all that the walk passes; changes linearly. Default 7.5. */
  readonly guidanceScale?: number | readonly number[];
  /** How many pictures. Default 24. */
  readonly frames?: number;
  /** Whether the walk returns to its first stop, so that frames repeat seamlessly. */
  readonly loop?: boolean;
  /** How each leg is walked. Default "linear". */
  readonly easing?: Easing;
  /** Frames even in the mixing share, or in how much the picture changes. Default "even". */
  readonly spacing?: "even" | "perceptual";
  /** Pictures that perceptual spacing measures the walk with. Default: `frames`, at least 5. */
  readonly pilots?: number;
  /** How prompts are mixed. Default "linear". */
  readonly promptMixing?: Mixing;
  /** How noise is mixed. Default "spherical": a straight line would lose contrast. */
  readonly noiseMixing?: Mixing;
  /**
   * Each frame begins in the one before, of which this strength, above 0 to 1, is made anew: calm
   * pictures that change slowly. Noise is then drawn with seed, seed + 1, ...
   */
  readonly feedback?: number;
  /**
   * How many frames are drawn in one run of the U-Net; with `feedback` always one. Default: 1, and
   * more with small models, where that is faster.
   */
  readonly batch?: number;
}

/** Frames where none are asked for: two seconds at twelve a second. */
const FRAMES = 24;

/** What is passed on the way, and how; defaults filled in. */
export interface Route {
  readonly prompts: readonly string[];
  readonly seeds: readonly (number | bigint)[];
  readonly guidanceScales: readonly number[];
  readonly frames: number;
  readonly loop: boolean;
  readonly easing: Easing;
  readonly pilots: number | undefined;
  readonly promptMixing: Mixing;
  readonly noiseMixing: Mixing;
  readonly feedback: number | undefined;
  /** The options that every frame has. */
  readonly common: Omit<GenerateOptions, "prompt" | "seed" | "guidanceScale">;
}

/**
 * Fills in the defaults and checks what needs no model.
 *
 * @throws {TypeError} where a list and its ends are both given, or no prompt.
 * @throws {OptionError} for numbers out of range, and for combinations that cannot be drawn.
 */
export function routeOf(options: InterpolateOptions): Route {
  const { from, to, prompts, seed, toSeed, seeds, guidanceScale, frames = FRAMES, ...rest } =
    options;
  const { loop, easing, spacing, pilots, promptMixing, noiseMixing, feedback, ...common } = rest;
  const scale = guidanceScale ?? DEFAULTS.guidanceScale;
  const route: Route = {
    prompts: stopsOf("prompts", prompts, ["from", from], ["to", to]),
    seeds: stopsOf("seeds", seeds, ["seed", seed ?? (seeds ? undefined : randomSeed())], [
      "toSeed",
      toSeed,
    ]),
    guidanceScales: typeof scale === "number" ? [scale] : scale,
    frames,
    loop: loop ?? false,
    easing: easing ?? "linear",
    pilots: spacing === "perceptual" ? pilots ?? Math.max(5, frames) : undefined,
    promptMixing: promptMixing ?? "linear",
    noiseMixing: noiseMixing ?? "spherical",
    feedback,
    common,
  };
  checkRoute(route);
  return route;
}

/** The list of stops, or its two ends; an absent second end leaves one stop. */
function stopsOf<T>(
  name: string,
  list: readonly T[] | undefined,
  [firstName, first]: readonly [string, T | undefined],
  [lastName, last]: readonly [string, T | undefined],
): readonly T[] {
  if (list !== undefined && (first !== undefined || last !== undefined)) {
    throw new TypeError(
      `Cannot interpolate: got both ${name} and ${firstName} or ${lastName}. Give one of them.`,
    );
  }
  if (list !== undefined && list.length > 0) return list;
  if (first === undefined) {
    throw new TypeError(`Cannot interpolate: got no ${firstName}, expected where to begin.`);
  }
  return last === undefined ? [first] : [first, last];
}

function requireOneOf(option: string, value: string, known: readonly string[]): void {
  if (known.includes(value)) return;
  throw new OptionError(
    option,
    `Cannot interpolate: ${option} must be one of ${known.join(", ")}; got ${value}.`,
  );
}

function checkRoute(route: Route): void {
  const { frames, pilots, feedback, guidanceScales, seeds, common } = route;
  requireInteger("frames", frames, 1);
  requireOneOf("easing", route.easing, EASINGS);
  requireOneOf("promptMixing", route.promptMixing, MIXINGS);
  requireOneOf("noiseMixing", route.noiseMixing, MIXINGS);
  if (pilots !== undefined) requireInteger("pilots", pilots, 2);
  for (const scale of guidanceScales) requireNumber("guidanceScale", scale);
  if (guidanceScales.length === 0) {
    throw new OptionError("guidanceScale", "Cannot interpolate: guidanceScale is an empty list.");
  }
  if (seeds.length > 1 && (feedback !== undefined || common.image)) {
    throw new OptionError(
      "seeds",
      "Cannot interpolate between seeds: the frames begin in pictures, not in noise. " +
        "Give one seed.",
    );
  }
  if (feedback === undefined) return;
  requireNumber("feedback", feedback, 0, 1);
  if (common.mask) {
    throw new OptionError("mask", "Cannot interpolate: feedback makes whole pictures anew.");
  }
  if (pilots !== undefined) {
    throw new OptionError(
      "spacing",
      "Cannot interpolate: with feedback, frames depend on their number; perceptual spacing " +
        "cannot measure them beforehand.",
    );
  }
}
