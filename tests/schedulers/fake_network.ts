/** The formulas of tests/golden/make_schedulers.py, bit for bit: 16 values, float32 after each step. */

const f32 = Math.fround;
const vector = (value: (i: number) => number) =>
  Float32Array.from({ length: 16 }, (_, i) => value(i));

/** The unit noise that a run starts from. */
export const START = vector((i) => ((i * 7 + 3) % 16 - 7.5) / 5);

/** The picture that image to image starts from. */
export const CLEAN = vector((i) => ((i * 5 + 1) % 16 - 7.5) / 9);

const WAVE = vector((i) => ((i * 11 + 5) % 16 - 7.5) / 16);

/** Draw number k (from 1) of fresh noise. */
export function noise(k: number): Float32Array {
  return vector((i) => ((i * 3 + k * 7 + k * i) % 16 - 7.5) / 5);
}

/** x / (1 + |x|) * (0.5 + t / 2000) + wave. */
export function network(x: Float32Array, timestep: number): Float32Array {
  const slope = f32(f32(f32(timestep) / 2000) + 0.5);
  return x.map((value, i) => f32(f32(value / f32(1 + Math.abs(value))) * slope) + WAVE[i]!);
}
