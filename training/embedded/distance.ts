/** Distances in a grid, and smoothing: what a bitmap needs to become a distance field. */

/** A square of numbers, row after row. */
export interface Grid {
  readonly side: number;
  readonly data: Float32Array;
}

/** Far away, and yet its square is exact. */
const FAR = 1e6;

/**
 * Distance of every cell to the nearest cell that is not inside, 0 there (Felzenszwalb &
 * Huttenlocher 2012: lower envelope of parabolas, rows after columns).
 */
export function distanceToOutside(inside: Uint8Array, side: number): Float32Array {
  const squares = Float64Array.from(inside, (is) => is ? FAR : 0);
  const line = new Float64Array(side);
  for (let x = 0; x < side; x++) {
    for (let y = 0; y < side; y++) line[y] = squares[y * side + x]!;
    envelope(line, (y, value) => squares[y * side + x] = value);
  }
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) line[x] = squares[y * side + x]!;
    envelope(line, (x, value) => squares[y * side + x] = value);
  }
  return Float32Array.from(squares, Math.sqrt);
}

/** At each place the least of `line[q] + (place - q)^2`. */
function envelope(line: Float64Array, set: (place: number, value: number) => void): void {
  const n = line.length, at = new Int32Array(n), from = new Float64Array(n + 1);
  let k = 0;
  from[0] = -Infinity;
  from[1] = Infinity;
  for (let q = 1; q < n; q++) {
    let meet = crossing(line, at[k]!, q);
    while (meet <= from[k]!) meet = crossing(line, at[--k]!, q);
    at[++k] = q;
    from[k] = meet;
    from[k + 1] = Infinity;
  }
  k = 0;
  for (let place = 0; place < n; place++) {
    while (from[k + 1]! < place) k++;
    const q = at[k]!;
    set(place, (place - q) ** 2 + line[q]!);
  }
}

/** Where the parabola at `q` goes below that at `p`. */
function crossing(line: Float64Array, p: number, q: number): number {
  return (line[q]! + q * q - line[p]! - p * p) / (2 * (q - p));
}

/** Smoothed by a Gaussian of `sigma` cells, the border repeated. */
export function smoothed({ side, data }: Grid, sigma: number): Grid {
  const reach = Math.ceil(4 * sigma);
  const raw = Array.from(
    { length: 2 * reach + 1 },
    (_, i) => Math.exp(-0.5 * ((i - reach) / sigma) ** 2),
  );
  const total = raw.reduce((a, b) => a + b), kernel = raw.map((value) => value / total);
  const across = convolved(data, side, kernel, 1, side);
  return { side, data: convolved(across, side, kernel, side, 1) };
}

/** Along the axis of `step`, line after line `apart`. */
function convolved(
  data: Float32Array,
  side: number,
  kernel: readonly number[],
  step: number,
  apart: number,
): Float32Array {
  const out = new Float32Array(data.length), reach = kernel.length >> 1;
  for (let line = 0; line < side; line++) {
    for (let i = 0; i < side; i++) {
      let sum = 0;
      for (let k = 0; k < kernel.length; k++) {
        const j = Math.min(side - 1, Math.max(0, i + k - reach));
        sum += kernel[k]! * data[line * apart + j * step]!;
      }
      out[line * apart + i * step] = sum;
    }
  }
  return out;
}

/** The value below which `share` of the numbers lie. */
export function quantile(values: Float32Array, share: number): number {
  const sorted = values.slice().sort();
  const place = share * (sorted.length - 1), low = Math.floor(place);
  const next = sorted[Math.min(low + 1, sorted.length - 1)]!;
  return sorted[low]! + (place - low) * (next - sorted[low]!);
}
