/**
 * Weights in fewer bits. A layer's weight is [outputs, inner], or [outputs, channels, ...kernel] of a
 * convolution; what is multiplied with the pixels under a place of the kernel lies in the order of
 * its places, channels last.
 */

/** How many bits a weight has. */
export type WeightBits = 8 | 4;

/** Weights that share a scale, of those with 4 bits. */
export const INT4_BLOCK = 32;

/** Outputs that are transposed together: a line of the processor's cache. */
const TOGETHER = 64;

/** Names of what stands for `name`, the weight of a layer, in `bits`: its numbers and their scales. */
export function quantizedNames(name: string, bits: WeightBits): { values: string; scale: string } {
  return { values: `${name}.int${bits}`, scale: `${name}.int${bits}_scale` };
}

/** Where element `i` of an output's numbers, in the order of the product, lies in the checkpoint. */
function kernelOrder(shape: readonly number[]): Uint32Array {
  const [channels = 1, ...kernel] = shape.slice(1);
  const places = kernel.reduce((a, b) => a * b, 1);
  const order = new Uint32Array(channels * places);
  for (let place = 0; place < places; place++) {
    for (let c = 0; c < channels; c++) order[place * channels + c] = c * places + place;
  }
  return order;
}

/** The number of largest magnitude in `values[start..end]`, with its sign. */
function extreme(values: Float32Array, start: number, end: number): number {
  let most = 0;
  for (let i = start; i < end; i++) if (Math.abs(values[i]!) > Math.abs(most)) most = values[i]!;
  return most;
}

/** The numbers of one output in the order of the product, written into `row`. */
function gather(weight: Float32Array, output: number, order: Uint32Array, row: Float32Array): void {
  const start = output * row.length;
  for (let i = 0; i < row.length; i++) row[i] = weight[start + order[i]!]!;
}

/**
 * The scale of each output, Float32Array [outputs], that makes its largest magnitude `limit`.
 * Processors that add pairs of products of bytes in 16 bits overflow beyond a limit of 64; others
 * take 127.
 */
export function int8Scales(
  weight: Float32Array,
  shape: readonly number[],
  limit = 127,
): Float32Array<ArrayBuffer> {
  const scales = new Float32Array(shape[0]!), inner = weight.length / scales.length;
  return scales.map((_, o) => Math.abs(extreme(weight, o * inner, (o + 1) * inner)) / limit);
}

/** The weight divided by its scales, rounded: Int8Array [inner, outputs], transposed. */
export function int8Values(
  weight: Float32Array,
  shape: readonly number[],
  scales: Float32Array,
): Int8Array<ArrayBuffer> {
  const outputs = scales.length, order = kernelOrder(shape), inner = order.length;
  const rows = new Uint32Array(inner); // the inverse: reading must go forward
  for (let i = 0; i < inner; i++) rows[order[i]!] = i * outputs;
  const values = new Int8Array(weight.length);
  const steps = Float64Array.from(scales, (scale) => scale === 0 ? 0 : 1 / scale);
  for (let first = 0; first < outputs; first += TOGETHER) {
    const last = Math.min(first + TOGETHER, outputs);
    for (let from = 0; from < inner; from++) {
      const to = rows[from]!;
      for (let o = first; o < last; o++) {
        values[to + o] = Math.floor(weight[o * inner + from]! * steps[o]! + 0.5);
      }
    }
  }
  return values;
}

/**
 * A scale for each `INT4_BLOCK` numbers of an output: Float32Array [outputs, blocks]. It may be
 * negative, so that the number of largest magnitude is met exactly, by -8. Throws RangeError for a
 * row that blocks do not divide.
 */
export function int4Scales(
  weight: Float32Array,
  shape: readonly number[],
): Float32Array<ArrayBuffer> {
  const order = kernelOrder(shape), row = new Float32Array(order.length);
  const blocks = row.length / INT4_BLOCK;
  if (!Number.isInteger(blocks)) {
    throw new RangeError(
      `Cannot quantize a weight of shape [${shape}]: got rows of ${row.length}, expected a ` +
        `multiple of ${INT4_BLOCK}.`,
    );
  }
  const scales = new Float32Array(shape[0]! * blocks);
  for (let i = 0; i < scales.length; i++) {
    const start = i % blocks * INT4_BLOCK;
    if (start === 0) gather(weight, i / blocks, order, row);
    scales[i] = extreme(row, start, start + INT4_BLOCK) / -8;
  }
  return scales;
}

/**
 * The weight divided by its scales, rounded, as half bytes: Uint8Array [outputs, blocks,
 * INT4_BLOCK / 2], the first of two in the lower half, 8 standing for 0.
 */
export function int4Values(
  weight: Float32Array,
  shape: readonly number[],
  scales: Float32Array,
): Uint8Array<ArrayBuffer> {
  const order = kernelOrder(shape), row = new Float32Array(order.length);
  const values = new Uint8Array(weight.length / 2);
  const half = (value: number, step: number) => Math.min(15, Math.floor(value * step + 8.5));
  let at = 0;
  for (let output = 0, block = 0; output < shape[0]!; output++) {
    gather(weight, output, order, row);
    for (let start = 0; start < row.length; start += INT4_BLOCK) {
      const scale = scales[block++]!, step = scale === 0 ? 0 : 1 / scale;
      for (let i = start; i < start + INT4_BLOCK; i += 2) {
        values[at++] = half(row[i]!, step) | half(row[i + 1]!, step) << 4;
      }
    }
  }
  return values;
}
