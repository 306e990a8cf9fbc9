/**
 * Convolutions with 3x3 kernels in fewer multiplications: Winograd's F(4x4, 3x3) (Lavin, Gray 2015,
 * arXiv:1509.09308). Tiles of 6x6 pixels become 36 numbers, at each of which the channels mix by one
 * matrix product; 36 products a tile stand for 16 results, in place of 144.
 */
import { fixedShape, ShapeError } from "../shape.ts";
import { constant, type Value } from "../value.ts";
import { conv, convTranspose } from "./conv.ts";
import { matMul } from "./linalg.ts";
import { expand, reshape, transpose } from "./movement.ts";

/** Pixels along a tile that are computed, and that are seen. */
const TILE = 4, SEEN = 6;
/** Numbers of a transformed tile, or kernel. */
const PLACES = SEEN * SEEN;

// Points 0, 1, -1, 2, -2 and infinity; the kernel's own transform is weights/winograd.ts.
// deno-fmt-ignore
const INPUT = [
  [4, 0, -5, 0, 1, 0],
  [0, -4, -4, 1, 1, 0],
  [0, 4, -4, -1, 1, 0],
  [0, -2, -1, 2, 1, 0],
  [0, 2, -1, -2, 1, 0],
  [0, 4, 0, -5, 0, 1],
];
// deno-fmt-ignore
const OUTPUT = [
  [1, 1, 1, 1, 1, 0],
  [0, 1, -1, 2, -2, 0],
  [0, 1, 1, 4, 4, 0],
  [0, 1, -1, 8, -8, 1],
];

/**
 * `x` [N, C, H, W] convolved with 3x3 kernels, stride 1, one pixel of zeros around: [N, M, H, W].
 * `kernels` [36, M, C] are those that `winogradKernels` makes, `bias` is [M]. All sizes are numbers.
 * Equal to `conv` but for rounding: some 1e-6 of the result's spread.
 */
export function winogradConv(x: Value, kernels: Value, bias?: Value): Value {
  const [n, channels, height, width] = fixedShape("winogradConv", x.shape) as Sizes;
  const [places, outputs, inputs] = fixedShape("winogradConv", kernels.shape) as Sizes;
  if (places !== PLACES || inputs !== channels) {
    const why = `the kernels must be [${PLACES}, M, ${channels}].`;
    throw new ShapeError("winogradConv", [x.shape, kernels.shape], why);
  }
  const rows = Math.ceil(height / TILE), columns = Math.ceil(width / TILE);
  // What the last tiles see and compute beyond the picture.
  const below = rows * TILE - height, right = columns * TILE - width;
  const tiles = conv(x, eachChannel(INPUT_KERNEL, channels), undefined, {
    strides: TILE,
    pads: [1, 1, 1 + below, 1 + right],
    group: channels,
  });
  const each = rows * columns;
  const byPlace = transpose(reshape(tiles, [n, channels, PLACES, each]), [2, 1, 0, 3]);
  const mixed = matMul(kernels, reshape(byPlace, [PLACES, channels, n * each]));
  const byPicture = transpose(reshape(mixed, [PLACES, outputs, n, each]), [2, 1, 0, 3]);
  return convTranspose(
    reshape(byPicture, [n, outputs * PLACES, rows, columns]),
    eachChannel(OUTPUT_KERNEL, outputs),
    bias,
    { strides: TILE, pads: [0, 0, below, right], group: outputs },
  );
}

type Sizes = [number, number, number, number];

/** A transform of a tile as a kernel: [places, 1, side, side]. */
interface TileKernel {
  readonly data: Float32Array;
  readonly side: number;
}

/** B^T d B of a 6x6 tile d, at each of 36 places. */
const INPUT_KERNEL: TileKernel = {
  side: SEEN,
  data: products(SEEN, (i, a) => INPUT[i]![a]!),
};

/** A^T m A of 6x6 numbers m: what each of the 36 adds to a 4x4 tile. */
const OUTPUT_KERNEL: TileKernel = {
  side: TILE,
  data: products(TILE, (i, a) => OUTPUT[a]![i]!),
};

function products(side: number, factor: (place: number, pixel: number) => number): Float32Array {
  const data = new Float32Array(PLACES * side * side);
  let at = 0;
  for (let i = 0; i < SEEN; i++) {
    for (let j = 0; j < SEEN; j++) {
      for (let a = 0; a < side; a++) {
        for (let b = 0; b < side; b++) data[at++] = factor(i, a) * factor(j, b);
      }
    }
  }
  return data;
}

/** The same kernel for each of the channels, which do not mix. */
function eachChannel({ data, side }: TileKernel, channels: number): Value {
  const one = constant(data, [1, PLACES, 1, side, side]);
  const all = expand(one, [channels, PLACES, 1, side, side]);
  return reshape(all, [channels * PLACES, 1, side, side]);
}
