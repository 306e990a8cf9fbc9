/** Pictures of one digit each, drawn from distance fields. */
import type { TorchCpuGenerator } from "../../schedulers/random/torch_cpu.ts";
import { FIELD_HEIGHT, FIELD_SIDE, type Fields } from "./fields.ts";
import { BACKGROUNDS, type Color, INKS, TEAL } from "./palette.ts";

/** Pixels on a side of a picture. */
export const SIDE = 64;

/** What a picture shows; numbers into the tables of the palette. */
export interface Traits {
  readonly digit: number;
  readonly ink: number;
  readonly background: number;
  readonly stroke: number;
  readonly slant: number;
  readonly size: number;
  /** Hollow strokes: in some pictures, in no caption. */
  readonly outline: boolean;
  /** Which handwritten digit: its place among the fields. */
  readonly field: number;
}

/** Pictures with the share of ink in each pixel. */
export interface Drawings {
  /** Float32Array [n, 3, 64, 64], -1 to 1. */
  readonly pictures: Float32Array;
  /** Float32Array [n, 64, 64], 0 to 1. */
  readonly coverage: Float32Array;
}

/** Draws what `count` pictures shall show: all evenly, teal and outlines in one of twenty each. */
export function drawTraits(fields: Fields, count: number, random: TorchCpuGenerator): Traits[] {
  const of = (below: number) => random.integers(0, below, count);
  const field = of(fields.labels.length), ink = of(8), step = of(7);
  const stroke = of(3), slant = of(3), size = of(3);
  const teal = random.uniform(count), outline = random.uniform(count);
  return Array.from({ length: count }, (_, i) => ({
    digit: fields.labels[field[i]!]!,
    field: field[i]!,
    ink: teal[i]! < 0.05 ? TEAL : ink[i]!,
    background: (ink[i]! + 1 + step[i]!) % 8, // never the ink's own name
    stroke: stroke[i]!,
    slant: slant[i]!,
    size: size[i]!,
    outline: outline[i]! < 0.05,
  }));
}

/** Ranges of what the words mean: height in pixels, lean, half width in heights. */
const HEIGHTS = [[25, 30], [33, 41], [44, 51]] as const;
const LEANS = [[-0.5, -0.24], [-0.1, 0.1], [0.24, 0.5]] as const;
const HALF_WIDTHS = [[0.034, 0.042], [0.06, 0.074], [0.092, 0.108]] as const;

/** Where and how one digit lies in its picture. */
interface Pose {
  readonly field: Float32Array;
  readonly height: number;
  readonly lean: number;
  readonly x: number;
  readonly y: number;
  /** How much the stroke is thickened, in heights. */
  readonly offset: number;
  readonly outline: boolean;
}

/** Draws the pictures; place, exact size and exact colours are random. */
export function draw(
  fields: Fields,
  traits: readonly Traits[],
  random: TorchCpuGenerator,
): Drawings {
  const plane = SIDE * SIDE;
  const pictures = new Float32Array(traits.length * 3 * plane);
  const coverage = new Float32Array(traits.length * plane);
  const chances = random.uniform(5 * traits.length), tints = random.normal(6 * traits.length + 16);
  traits.forEach((trait, i) => {
    const ink = coverage.subarray(i * plane, (i + 1) * plane);
    cover(ink, poseOf(fields, trait, chances.subarray(5 * i, 5 * i + 5)));
    const front = tinted(INKS[trait.ink]!, tints, 6 * i, 0.02);
    const back = tinted(BACKGROUNDS[trait.background]!, tints, 6 * i + 3, 0.025);
    for (let c = 0; c < 3; c++) {
      const at = (3 * i + c) * plane, from = 2 * back[c]! - 1, by = 2 * (front[c]! - back[c]!);
      for (let k = 0; k < plane; k++) pictures[at + k] = from + by * ink[k]!;
    }
  });
  return { pictures, coverage };
}

function poseOf(fields: Fields, trait: Traits, chances: Float32Array): Pose {
  const within = (range: readonly [number, number], k: number) =>
    range[0] + (range[1] - range[0]) * chances[k]!;
  const height = within(HEIGHTS[trait.size]!, 0), lean = within(LEANS[trait.slant]!, 1);
  const half = within(HALF_WIDTHS[trait.stroke]!, 2), own = fields.halfWidths[trait.field]!;
  const room = (SIDE - height) / 2 - 4;
  const clamp = (value: number) => Math.min(9, Math.max(1, value));
  const wanted = trait.outline
    ? Math.max(half, 0.075 + 0.6 / height)
    // Thinner than half of what was written, it would break.
    : Math.max(half, 0.5 * own);
  const size = FIELD_SIDE * FIELD_SIDE, at = trait.field * size;
  return {
    field: fields.distances.subarray(at, at + size),
    height,
    lean,
    x: SIDE / 2 + (2 * chances[3]! - 1) * clamp(0.8 * room),
    y: SIDE / 2 + (2 * chances[4]! - 1) * clamp(room),
    offset: wanted - own,
    outline: trait.outline,
  };
}

/** Fills `ink` [64, 64] with the share of each pixel that the digit covers. */
function cover(ink: Float32Array, { field, height, lean, x, y, offset, outline }: Pose): void {
  const middle = (FIELD_SIDE - 1) / 2, last = FIELD_SIDE - 1;
  for (let row = 0; row < SIDE; row++) {
    const down = (row + 0.5 - y) / height;
    const fy = Math.min(last, Math.max(0, down * FIELD_HEIGHT + middle));
    const top = Math.min(last - 1, Math.floor(fy)), v = fy - top;
    for (let column = 0; column < SIDE; column++) {
      const across = (column + 0.5 - x) / height + lean * down;
      const fx = Math.min(last, Math.max(0, across * FIELD_HEIGHT + middle));
      const left = Math.min(last - 1, Math.floor(fx)), u = fx - left;
      const at = top * FIELD_SIDE + left;
      const upper = field[at]! * (1 - u) + field[at + 1]! * u;
      const lower = field[at + FIELD_SIDE]! * (1 - u) + field[at + FIELD_SIDE + 1]! * u;
      const distance = (upper * (1 - v) + lower * v - offset) * height;
      const share = outline ? 1.25 - Math.abs(distance) : 0.5 - distance;
      ink[row * SIDE + column] = Math.min(1, Math.max(0, share));
    }
  }
}

/** A colour that is not quite the same in every picture, 0 to 1. */
function tinted(color: Color, tints: Float32Array, at: number, by: number): number[] {
  return color.map((c, i) => Math.min(1, Math.max(0, c / 255 + by * tints[at + i]!)));
}
