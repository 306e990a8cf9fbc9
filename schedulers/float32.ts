/**
 * The float32 and float64 vector operations of torch and NumPy whose last bit matters here.
 *
 * JavaScript numbers are float64; `Math.fround` after each `+ - * /` and `Math.sqrt` gives
 * exactly the IEEE float32 result.
 * @module
 */

/** Rounds half to even, as NumPy's and torch's `round` do (`Math.round` rounds half up). */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** `torch.linspace(start, end, count, dtype=float32)`: each half is counted from its own end. */
export function linspaceFloat32(start: number, end: number, count: number): Float32Array {
  const first = Math.fround(start);
  const last = Math.fround(end);
  const step = count > 1 ? Math.fround(Math.fround(last - first) / (count - 1)) : 0;
  const half = Math.floor(count / 2);
  // One rounding per element: torch's kernel is compiled to a fused multiply-add.
  return Float32Array.from(
    { length: count },
    (_, i) => i < half || count === 1 ? first + step * i : last - step * (count - 1 - i),
  );
}

/** `torch.cumprod` of a float32 tensor on a CPU: the product runs in float64, each entry is rounded. */
export function cumulativeProduct(values: Float32Array): Float32Array {
  let product = 1;
  return values.map((value) => product *= value);
}

/** `numpy.linspace(start, end, count)` in float64: `start + i * step`, the last entry exactly `end`. */
export function linspace(start: number, end: number, count: number): Float64Array {
  const step = count > 1 ? (end - start) / (count - 1) : 0;
  return Float64Array.from(
    { length: count },
    (_, i) => i > 0 && i === count - 1 ? end : i * step + start,
  );
}

/** `numpy.arange(start, end, step)` in float64, including its habit of a last entry too many. */
export function arange(start: number, end: number, step: number): Float64Array {
  const count = Math.max(0, Math.ceil((end - start) / step));
  const delta = (start + step) - start;
  return Float64Array.from({ length: count }, (_, i) => start + i * delta);
}

/** `numpy.interp(x, [0, 1, ...], values)`: linear between entries, clamped at both ends. */
export function interpolate(x: number, values: ArrayLike<number>): number {
  const last = values.length - 1;
  const low = Math.floor(x);
  if (low < 0) return values[0]!;
  if (low >= last) return values[last]!;
  return (values[low + 1]! - values[low]!) * (x - low) + values[low]!;
}
