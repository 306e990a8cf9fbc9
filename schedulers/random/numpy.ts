import { Mt19937 } from "./mt19937.ts";
import { assertCount, type NormalSource } from "./normal_source.ts";

/**
 * NumPy's legacy generator, `numpy.random.RandomState(seed)`: what ONNX pipelines of diffusers and
 * Core ML pipelines of Apple draw their latents from.
 */
export class NumpyRandomState implements NormalSource {
  readonly #engine: Mt19937;
  #spare: number | undefined;

  /** Throws a RangeError unless `seed` is a whole number in 0 ... 2^32 - 1, as NumPy does. */
  constructor(seed: number) {
    if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32) {
      throw new RangeError(
        `Cannot seed NumPy's generator: it takes 32 bits; got ${seed}, expected 0 to ${
          2 ** 32 - 1
        }.`,
      );
    }
    this.#engine = new Mt19937(seed);
  }

  /** `RandomState.randn(count).astype(float32)`: Marsaglia's polar method in double precision. */
  normal(count: number): Float32Array {
    assertCount(count);
    const out = new Float32Array(count);
    for (let i = 0; i < count; i++) out[i] = this.#normalDouble();
    return out;
  }

  #normalDouble(): number {
    const spare = this.#spare;
    if (spare !== undefined) {
      this.#spare = undefined;
      return spare;
    }
    let x, y, square;
    do {
      x = 2 * this.#uniformDouble() - 1;
      y = 2 * this.#uniformDouble() - 1;
      square = x * x + y * y;
    } while (square >= 1 || square === 0);
    const scale = Math.sqrt(-2 * Math.log(square) / square);
    this.#spare = scale * x;
    return scale * y;
  }

  /** 53 random bits as a multiple of 2^-53 in [0, 1): 27 from one word, 26 from the next. */
  #uniformDouble(): number {
    const high = this.#engine.nextUint32() >>> 5;
    return (high * 2 ** 26 + (this.#engine.nextUint32() >>> 6)) / 2 ** 53;
  }
}
