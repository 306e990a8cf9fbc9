/**
 * Weights that mean nothing but behave: deterministic, distinct, and of a size that keeps the
 * activations of a deep network finite in float16.
 *
 * @module
 */

import type { GeneratedTensor } from "../weights/safetensors_write.ts";
import type { NamedShape } from "./sd_shapes.ts";

/** A prime: no two rows of a matrix begin at the same place of the table. */
const TABLE_LENGTH = 1_048_573;
const PIECE = 1 << 20;

/** Standard normal numbers, the same on every machine: Box and Muller's method over mulberry32. */
function normalTable(): Float32Array {
  const table = new Float32Array(TABLE_LENGTH);
  let state = 20_221_120;
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < TABLE_LENGTH; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform())), angle = 2 * Math.PI * uniform();
    table[i] = radius * Math.cos(angle);
    table[i + 1] = radius * Math.sin(angle); // Beyond the odd end: dropped.
  }
  return table;
}

/** Makes the tensors of `shapes` while they are written, with one table of 4 MB for them all. */
export function randomTensors(
  shapes: Iterable<NamedShape>,
  dtype: "F32" | "F16",
): GeneratedTensor[] {
  const table = normalTable();
  return Array.from(shapes, ([name, shape]) => ({
    name,
    dtype,
    shape,
    *generate() {
      const count = shape.reduce((product, size) => product * size, 1);
      const { mean, deviation } = distribution(name, shape);
      const values = new Float32Array(Math.min(PIECE, count));
      const half = dtype === "F16" ? new Float16Array(values.length) : undefined;
      let at = hash(name) % TABLE_LENGTH;
      for (let done = 0; done < count; done += values.length) {
        const length = Math.min(values.length, count - done);
        for (let i = 0; i < length; i++) {
          values[i] = mean + deviation * table[at]!;
          if (++at === TABLE_LENGTH) at = 0;
        }
        half?.set(values);
        yield new Uint8Array((half ?? values).buffer).subarray(0, length * (half ? 2 : 4));
      }
    },
  }));
}

/** Norms near the identity, biases near 0, weights that keep the variance of their input. */
function distribution(name: string, shape: readonly number[]): { mean: number; deviation: number } {
  if (/embedding\.weight$/.test(name)) return { mean: 0, deviation: 0.02 };
  if (/norm[^.]*\.weight$/.test(name)) return { mean: 1, deviation: 0.02 };
  if (shape.length === 1) return { mean: 0, deviation: 0.02 };
  const fanIn = shape.slice(1).reduce((product, size) => product * size, 1);
  // The last layers of residual branches: their sum must not grow with the depth.
  const branch = /(conv2|to_out\.0|ff\.net\.2|proj_out|out_proj|fc2)\.weight$/.test(name);
  return { mean: 0, deviation: (branch ? 0.3 : 1) / Math.sqrt(fanIn) };
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}
