/** Above this cosine two directions count as one, and a straight line replaces the arc. */
const PARALLEL = 0.9995;

function assertSameLength(what: string, a: ArrayLike<number>, b: ArrayLike<number>): void {
  if (a.length !== b.length) {
    throw new RangeError(
      `Cannot ${what}: the two tensors differ in size; got ${a.length} and ${b.length} elements.`,
    );
  }
}

/**
 * Spherical interpolation from `from` (t = 0) to `to` (t = 1), each taken as one long vector.
 *
 * Keeps the length that normal noise has, which a straight line between two noises would shorten
 * (Shoemake, 1985). Any size; returns a new array; throws a RangeError for unequal sizes.
 */
export function slerp(from: Float32Array, to: Float32Array, t: number): Float32Array {
  assertSameLength("interpolate noise", from, to);
  let dot = 0, fromSquare = 0, toSquare = 0;
  for (let i = 0; i < from.length; i++) {
    dot += from[i]! * to[i]!;
    fromSquare += from[i]! ** 2;
    toSquare += to[i]! ** 2;
  }
  const [a, b] = arcWeights(dot / Math.sqrt(fromSquare * toSquare), t);
  return from.map((x, i) => a * x + b * to[i]!);
}

/** The weights of the two ends, given the cosine of the angle between them. */
function arcWeights(cosine: number, t: number): [number, number] {
  if (!(Math.abs(cosine) <= PARALLEL)) return [1 - t, t];
  const angle = Math.acos(cosine);
  const sine = Math.sin(angle);
  return [Math.sin((1 - t) * angle) / sine, Math.sin(t * angle) / sine];
}

/** The shape of one image's noise, `[channels, h/8, w/8]`. */
export type NoiseShape = readonly [channels: number, height: number, width: number];

function elements(shape: NoiseShape): number {
  return shape[0] * shape[1] * shape[2];
}

/**
 * A1111's variation seed: `noise` moved towards `subnoise` by `strength` (0 to 1).
 *
 * A1111 takes the angle over the rows of each column of one image's [c, h, w] noise, not over the
 * whole image; that is reproduced here, so that its pictures are too. Returns a new array; throws a
 * RangeError for sizes that disagree.
 */
export function variationNoise(
  noise: Float32Array,
  subnoise: Float32Array,
  strength: number,
  shape: NoiseShape,
): Float32Array {
  assertSameLength("mix a variation seed", noise, subnoise);
  const [channels, height, width] = shape;
  if (noise.length !== elements(shape)) {
    throw new RangeError(
      `Cannot mix a variation seed: the noise has ${noise.length} elements, expected ` +
        `${elements(shape)} for ${shape.join(" x ")}.`,
    );
  }
  const columns: { at: number; cosine: number }[] = [];
  for (let c = 0; c < channels; c++) {
    for (let x = 0; x < width; x++) {
      const at = c * height * width + x;
      columns.push({ at, cosine: columnCosine(noise, subnoise, at, height, width) });
    }
  }
  const mean = columns.reduce((sum, { cosine }) => sum + cosine, 0) / columns.length;
  const out = new Float32Array(noise.length);
  for (const { at, cosine } of columns) {
    const [a, b] = mean > PARALLEL ? [1 - strength, strength] : arcWeights(cosine, strength);
    for (let y = 0, i = at; y < height; y++, i += width) out[i] = a * noise[i]! + b * subnoise[i]!;
  }
  return out;
}

/** The cosine between two columns that start at `at` and go down by `step`. */
function columnCosine(a: Float32Array, b: Float32Array, at: number, rows: number, step: number) {
  let dot = 0, aSquare = 0, bSquare = 0;
  for (let y = 0, i = at; y < rows; y++, i += step) {
    dot += a[i]! * b[i]!;
    aSquare += a[i]! ** 2;
    bSquare += b[i]! ** 2;
  }
  return dot / Math.sqrt(aSquare * bSquare);
}

/**
 * A1111's "resize seed from": the noise of another size laid over the middle of `noise`, or its
 * middle cut out, so that a seed keeps its composition when the size changes.
 *
 * Returns a new array of `shape`; throws a RangeError for sizes that disagree.
 */
export function resizedNoise(
  noise: Float32Array,
  shape: NoiseShape,
  other: Float32Array,
  otherShape: NoiseShape,
): Float32Array {
  const [channels, height, width] = shape;
  const [otherChannels, otherHeight, otherWidth] = otherShape;
  if (
    channels !== otherChannels || noise.length !== elements(shape) ||
    other.length !== elements(otherShape)
  ) {
    throw new RangeError(
      `Cannot resize noise: sizes disagree; got ${noise.length} elements for ` +
        `${shape.join(" x ")} and ${other.length} for ${otherShape.join(" x ")}.`,
    );
  }
  const y = overlap(height, otherHeight), x = overlap(width, otherWidth);
  const out = noise.slice();
  for (let c = 0; c < channels; c++) {
    for (let row = 0; row < y.length; row++) {
      const source = (c * otherHeight + y.from + row) * otherWidth + x.from;
      const target = (c * height + y.to + row) * width + x.to;
      out.set(other.subarray(source, source + x.length), target);
    }
  }
  return out;
}

/** Along one axis: where the smaller of two centred ranges begins in each, and its length. */
function overlap(size: number, otherSize: number): { from: number; to: number; length: number } {
  const shift = Math.floor((size - otherSize) / 2);
  return {
    from: Math.max(-shift, 0),
    to: Math.max(shift, 0),
    length: shift >= 0 ? otherSize : otherSize + 2 * shift,
  };
}

/**
 * A1111's "eta noise seed delta" (ENSD; 31337 for NovelAI's pictures): the seed of the noise that a
 * sampler adds on its way, given the seed of the first noise.
 *
 * With delta 0, A1111 goes on with the first generator instead; so returns undefined then.
 */
export function etaNoiseSeed(seed: bigint, delta: number): bigint | undefined {
  return delta > 0 ? seed + BigInt(delta) : undefined;
}
