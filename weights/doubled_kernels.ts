/**
 * Kernels for a picture of twice the size: see graph/ops/doubled_conv.ts.
 *
 * @module
 */

/** Which of the four pixels that one pixel becomes: [row, column], each 0 or 1. */
export type Phase = readonly [row: 0 | 1, column: 0 | 1];

/** All of them, row by row. */
export const PHASES: readonly Phase[] = [[0, 0], [0, 1], [1, 0], [1, 1]];

/** Bytes of the four kernels, as float32, beyond which their memory is worth more than the time. */
const MOST_BYTES = 32 << 20;

/**
 * Of a 3x3 kernel's three rows over a picture with doubled pixels, those that see the same pixel of
 * the original, for the two pixels that a kernel of two rows is over.
 */
const SEEN = [[[0], [1, 2]], [[0, 1], [2]]] as const;

/** The sums of a phase as a matrix [9, 4]: from places of a 3x3 kernel to those of a 2x2 one. */
export function phaseSums([row, column]: Phase): Float32Array<ArrayBuffer> {
  const sums = new Float32Array(9 * 4);
  for (const [i, rows] of SEEN[row].entries()) {
    for (const [j, columns] of SEEN[column].entries()) {
      for (const r of rows) for (const c of columns) sums[(3 * r + c) * 4 + 2 * i + j] = 1;
    }
  }
  return sums;
}

/** The 2x2 kernels [outputs, inputs, 2, 2] of a phase, from 3x3 kernels [outputs, inputs, 3, 3]. */
export function phaseKernels(weight: Float32Array, phase: Phase): Float32Array<ArrayBuffer> {
  const sums = phaseSums(phase), pairs = weight.length / 9, all = new Float32Array(4 * pairs);
  for (let pair = 0; pair < pairs; pair++) {
    for (let to = 0; to < 4; to++) {
      let sum = 0;
      for (let from = 0; from < 9; from++) sum += sums[4 * from + to]! * weight[9 * pair + from]!;
      all[4 * pair + to] = sum;
    }
  }
  return all;
}

/** The name that a layer's kernels of a phase have beside its `weight`. */
export function phaseName(weight: string, [row, column]: Phase): string {
  return weight.replace(/weight$/, `phase_${row}${column}.weight`);
}

/** Whether a layer `name` with such a weight doubles a picture, and its kernels are worth their memory. */
export function isDoubling(name: string, shape: readonly number[]): boolean {
  const [outputs = 0, inputs = 0, height, width] = shape;
  return /\.upsamplers\.\d+\.conv\./.test(name) && height === 3 && width === 3 &&
    16 * 4 * outputs * inputs <= MOST_BYTES;
}
