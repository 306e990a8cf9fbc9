/**
 * From latents to colours: by the model's own decoder where that is quick, else by one linear map a
 * model, fitted to it.
 *
 * @module
 */

import { Image, type Latents } from "../mod.ts";

/** What the fit needs of a pipeline. */
export interface Decoder {
  decode(latents: Latents): Promise<Image>;
}

/** Colour = sum of weights * latents + offset: rows of [channels + 1], one each for R, G and B. */
export type LatentColors = readonly (readonly number[])[];

/** Side of the latents that the map is fitted on: 64 patches of 2 x 2. */
const SIDE = 16;

/** Patches of one colour: a decoder looks around, and real latents are smooth as well. */
const PATCH = 2;

/** Largest value of the patches: 2.5 standard deviations of what the U-Net makes. */
const SPREAD = 2.5;

/** What decoding a preview may take, in milliseconds: a third of a run at most, for 200 lie between. */
const AFFORDABLE = 100;

/** A decoder that took longer to be built and to decode a small picture is not measured any more. */
const UNMEASURED = 1000;

/**
 * Makes pictures of latents: whole ones where decoding is quick, else coarse ones, one pixel for each
 * place. The map misses most of a decoder that looks around or normalises, as small ones do; a large
 * one is nearly linear. The first call fits the map and measures, which decodes two small pictures.
 */
export function latentPreview(
  sd: Decoder,
  now: () => number = () => performance.now(),
): (latents: Latents) => Promise<Image> {
  let known: Promise<{ colors: LatentColors; each: number }> | undefined;
  return async (latents) => {
    const { colors, each } = await (known ??= measure(sd, latents.channels, now));
    const isQuick = each * latents.width * latents.height <= AFFORDABLE;
    return isQuick ? await sd.decode(latents) : paint(latents, colors);
  };
}

/** The map, and how long decoding takes for each place of the latents, in milliseconds. */
async function measure(sd: Decoder, channels: number, now: () => number) {
  const began = now(), colors = await fitColors(sd, channels), fitted = now();
  if (fitted - began > UNMEASURED) return { colors, each: Infinity };
  await sd.decode(patches(channels));
  return { colors, each: (now() - fitted) / (SIDE * SIDE) };
}

/** Fits the map by least squares to what the decoder makes of patches of many values. */
export async function fitColors(sd: Decoder, channels: number): Promise<LatentColors> {
  const latents = patches(channels), image = await sd.decode(latents);
  const factor = image.width / SIDE, area = SIDE * SIDE, rows = channels + 1;
  // Normal equations: (X'X) w = X'y, X with a column of ones; a trace on the diagonal keeps them
  // solvable for a decoder that ignores a channel.
  const normal = Array.from({ length: rows }, (_, i) => {
    const row = new Array<number>(rows + 3).fill(0);
    row[i] = 1e-6 * area;
    return row;
  });
  for (let at = 0; at < area; at++) {
    const x = Array.from({ length: channels }, (_, c) => latents.data[c * area + at]!);
    const columns = [...x, 1, ...meanColor(image, at % SIDE, Math.floor(at / SIDE), factor)];
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns.length; j++) normal[i]![j]! += columns[i]! * columns[j]!;
    }
  }
  eliminate(normal);
  return [0, 1, 2].map((color) => normal.map((row) => row[rows + color]!));
}

/** Latents of patches whose values spread over -2.5..2.5 in each channel (a Kronecker sequence). */
function patches(channels: number): Latents {
  const data = new Float32Array(channels * SIDE * SIDE);
  for (let c = 0; c < channels; c++) {
    const step = Math.sqrt(2 + c * c + 3 * c); // irrational, another one for each channel
    for (let y = 0; y < SIDE; y++) {
      for (let x = 0; x < SIDE; x++) {
        const patch = Math.floor(y / PATCH) * (SIDE / PATCH) + Math.floor(x / PATCH);
        data[(c * SIDE + y) * SIDE + x] = (((patch + 1) * step) % 1) * 2 * SPREAD - SPREAD;
      }
    }
  }
  return { channels, height: SIDE, width: SIDE, data };
}

/** Mean R, G, B of the square of pixels that belongs to one place of the latents. */
function meanColor(
  { width, channels, data }: Image,
  column: number,
  row: number,
  factor: number,
): [number, number, number] {
  const sum: [number, number, number] = [0, 0, 0];
  for (let y = row * factor; y < (row + 1) * factor; y++) {
    for (let x = column * factor; x < (column + 1) * factor; x++) {
      for (let c = 0; c < 3; c++) sum[c]! += data[(y * width + x) * channels + c]!;
    }
  }
  return sum.map((value) => value / (factor * factor)) as [number, number, number];
}

/** Gauss-Jordan elimination with pivoting, in place: the left square becomes the identity. */
function eliminate(rows: number[][]): void {
  for (let i = 0; i < rows.length; i++) {
    let pivot = i;
    for (let r = i + 1; r < rows.length; r++) {
      if (Math.abs(rows[r]![i]!) > Math.abs(rows[pivot]![i]!)) pivot = r;
    }
    [rows[i], rows[pivot]] = [rows[pivot]!, rows[i]!];
    const scale = rows[i]![i]!;
    rows[i] = rows[i]!.map((value) => value / scale);
    for (let r = 0; r < rows.length; r++) {
      const times = rows[r]![i]!;
      if (r !== i) rows[r] = rows[r]!.map((value, j) => value - times * rows[i]![j]!);
    }
  }
}

/** The picture that the map makes of latents. */
export function paint({ channels, width, height, data }: Latents, colors: LatentColors): Image {
  const area = width * height, out = new Uint8ClampedArray(3 * area);
  for (let at = 0; at < area; at++) {
    for (const [color, weights] of colors.entries()) {
      let value = weights[channels]!;
      for (let c = 0; c < channels; c++) value += weights[c]! * data[c * area + at]!;
      out[3 * at + color] = value; // the array clips and rounds
    }
  }
  return new Image(width, height, out);
}
