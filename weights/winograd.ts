/**
 * Kernels for Winograd's way to convolve, F(4x4, 3x3) (arXiv:1509.09308): see graph/ops/winograd.ts.
 *
 * @module
 */

/** Numbers of a transformed kernel. */
export const WINOGRAD_PLACES = 36;

/** A kernel g becomes G g G^T. */
// deno-fmt-ignore
const KERNEL = [
  [1 / 4, 0, 0],
  [-1 / 6, -1 / 6, -1 / 6],
  [-1 / 6, 1 / 6, -1 / 6],
  [1 / 24, 1 / 12, 1 / 6],
  [1 / 24, -1 / 12, 1 / 6],
  [0, 0, 1],
];

/** The name that a layer's transformed weight has beside it. */
export function winogradName(weight: string): string {
  return `${weight}.winograd_4x4`;
}

/** Whether a weight is one of 3x3 kernels. */
export function isThreeByThree(shape: readonly number[]): boolean {
  return shape.length === 4 && shape[2] === 3 && shape[3] === 3;
}

/**
 * 3x3 kernels [outputs, inputs, 3, 3], transformed: [36, outputs, inputs]. Computed in float64 and
 * rounded once. Throws RangeError for another number of weights.
 */
export function winogradKernels(
  weight: Float32Array,
  [outputs, inputs]: readonly [number, number],
): Float32Array<ArrayBuffer> {
  const pairs = outputs * inputs;
  if (weight.length !== 9 * pairs) {
    throw new RangeError(
      `Cannot transform kernels: got ${weight.length} weights, expected ${9 * pairs}.`,
    );
  }
  const all = new Float32Array(WINOGRAD_PLACES * pairs), half = new Float64Array(18);
  for (let pair = 0; pair < pairs; pair++) {
    for (let i = 0; i < 6; i++) {
      const [a, b, c] = KERNEL[i]! as [number, number, number];
      for (let column = 0; column < 3; column++) {
        const at = 9 * pair + column;
        half[3 * i + column] = a * weight[at]! + b * weight[at + 3]! + c * weight[at + 6]!;
      }
    }
    for (let i = 0; i < 6; i++) {
      for (let j = 0; j < 6; j++) {
        const [a, b, c] = KERNEL[j]! as [number, number, number];
        const sum = a * half[3 * i]! + b * half[3 * i + 1]! + c * half[3 * i + 2]!;
        all[(6 * i + j) * pairs + pair] = sum;
      }
    }
  }
  return all;
}
