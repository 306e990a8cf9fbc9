/** Who looks at generated pictures: a classifier for the digit, the nearest palette entry for colours. */
import { input } from "../../graph/value.ts";
import { joined } from "../../pipeline/joined.ts";
import type { SessionBuilder } from "../../pipeline/session_builder.ts";
import { TorchCpuGenerator } from "../../schedulers/random/torch_cpu.ts";
import { derivedSeed } from "../derived_seed.ts";
import { DIGIT_SIDE, DIGIT_SIZE } from "../digits_data.ts";
import { digitClassifier, pictureInput, Weights } from "../digits_nets.ts";
import { type Trained, trainNet } from "../digits_training.ts";
import { readDigits } from "../digits_use.ts";
import { crossEntropy } from "../losses.ts";
import { draw, drawTraits, SIDE } from "./drawing.ts";
import type { Fields } from "./fields.ts";
import { BACKGROUNDS, type Color, INKS } from "./palette.ts";

/** What is read off a picture; numbers into the tables of the palette. */
export interface Reading {
  readonly digit: number;
  readonly ink: number;
  readonly background: number;
}

/** A picture without its colours. */
interface Foreground {
  /** Float32Array [28, 28], -1 where the border's colour is, about 1 in the ink. */
  readonly map: Float32Array;
  readonly ink: Color;
  readonly background: Color;
}

const PLANE = SIDE * SIDE;

/** How far from the colour of its border each place of `picture` [3, 64, 64], -1 to 1, is. */
function foreground(picture: Float32Array): Foreground {
  const background = [0, 1, 2].map((c) => borderOf(picture, c));
  const distance = new Float32Array(PLANE);
  for (let i = 0; i < PLANE; i++) {
    let sum = 0;
    for (let c = 0; c < 3; c++) sum += (picture[c * PLANE + i]! - background[c]!) ** 2;
    distance[i] = Math.sqrt(sum);
  }
  const most = Math.max(0.05, distance.slice().sort()[PLANE - 20]!);
  const ink = [0, 0, 0];
  let inked = 0;
  for (let i = 0; i < PLANE; i++) {
    if (distance[i]! <= 0.8 * most) continue;
    inked++;
    for (let c = 0; c < 3; c++) ink[c]! += picture[c * PLANE + i]!;
  }
  ink.forEach((sum, c) => ink[c] = sum / Math.max(1, inked));
  return { map: halved(distance, most), ink: color(ink), background: color(background) };
}

/** From -1..1 to 0..255. */
function color(values: readonly number[]): Color {
  return values.map((value) => (value + 1) * 127.5) as unknown as Color;
}

/** Places at most three pixels from an edge. */
const BORDER: readonly number[] = (() => {
  const near = (k: number) => k < 3 || k >= SIDE - 3;
  const places = Array.from({ length: PLANE }, (_, i) => i);
  return places.filter((i) => near(i % SIDE) || near(Math.floor(i / SIDE)));
})();

/** The median of a channel along the border. */
function borderOf(picture: Float32Array, channel: number): number {
  return Float32Array.from(BORDER, (i) => picture[channel * PLANE + i]!)
    .sort()[BORDER.length >> 1]!;
}

/** Means of 2 x 2 places without the outermost four pixels: 28 x 28. */
function halved(distance: Float32Array, most: number): Float32Array {
  const edge = (SIDE - 2 * DIGIT_SIDE) >> 1;
  const at = (x: number, y: number) => Math.min(1.2, distance[y * SIDE + x]! / most);
  return Float32Array.from({ length: DIGIT_SIZE }, (_, i) => {
    const x = edge + 2 * (i % DIGIT_SIDE), y = edge + 2 * Math.floor(i / DIGIT_SIDE);
    return (at(x, y) + at(x + 1, y) + at(x, y + 1) + at(x + 1, y + 1)) / 2 - 1;
  });
}

function nearest(to: Color, palette: readonly Color[]): number {
  const far = palette.map((entry) => Math.hypot(...entry.map((value, c) => value - to[c]!)));
  return far.indexOf(Math.min(...far));
}

/** Trains the classifier on drawn pictures, some of them noisy. */
export async function trainJudge(
  builder: SessionBuilder,
  fields: Fields,
  { steps = 1500, batch = 64, seed = 0 } = {},
): Promise<Trained> {
  const weights = new Weights(seed), labels = input("labels", "int64", [batch]);
  const loss = crossEntropy(digitClassifier(pictureInput(batch), weights), labels);
  return await trainNet({
    builder,
    weights,
    loss,
    steps,
    rate: 4e-3,
    batch: (step) => {
      const random = new TorchCpuGenerator(derivedSeed(seed, step, "judge"));
      const traits = drawTraits(fields, batch, random);
      const { pictures } = draw(fields, traits, random);
      const level = random.uniform(batch), noise = random.normal(pictures.length);
      const noisy = pictures.map((value, k) =>
        value + 0.15 * level[Math.floor(k / (3 * PLANE))]! * noise[k]!
      );
      return {
        pictures: mapsOf(foregrounds(noisy)),
        labels: BigInt64Array.from(traits, ({ digit }) => BigInt(digit)),
      };
    },
  });
}

function foregrounds(pictures: Float32Array): Foreground[] {
  const size = 3 * PLANE;
  return Array.from(
    { length: pictures.length / size },
    (_, i) => foreground(pictures.subarray(i * size, (i + 1) * size)),
  );
}

/** What a classifier of digits is fed: Float32Array [n, 28, 28]. */
function mapsOf(seen: readonly Foreground[]): Float32Array {
  return joined(seen.map(({ map }) => map));
}

/** Reads pictures [n, 3, 64, 64], -1 to 1. */
export async function readPictures(
  builder: SessionBuilder,
  judge: Trained,
  pictures: Float32Array,
): Promise<Reading[]> {
  const seen = foregrounds(pictures), digits = await readDigits(builder, judge, mapsOf(seen));
  return seen.map(({ ink, background }, i) => ({
    digit: digits[i]!,
    ink: nearest(ink, INKS),
    background: nearest(background, BACKGROUNDS),
  }));
}
