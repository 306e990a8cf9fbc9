import { boxMuller16 } from "./box_muller.ts";
import { Mt19937 } from "./mt19937.ts";
import { assertCount, type NormalSource } from "./normal_source.ts";
import { seed64 } from "./seed.ts";

const TWO_32 = 2 ** 32;

/**
 * torch's generator for the CPU: `torch.Generator("cpu").manual_seed(seed)`.
 *
 * Every method draws what the torch function of the same name draws, and leaves the generator where
 * torch leaves it, so that any sequence of calls continues to agree. As in torch, only the low 32
 * bits of the seed matter. Float32 results of 16 elements or more equal those of torch for x86 with
 * AVX2 bit for bit; other processors' own `log` and `sin` differ by about 1e-6.
 */
export class TorchCpuGenerator implements NormalSource {
  readonly #engine: Mt19937;
  #spare: number | undefined;

  /** Throws what {@linkcode seed64} throws for a seed that torch would refuse. */
  constructor(seed: number | bigint) {
    this.#engine = new Mt19937(Number(seed64(seed) & 0xffffffffn));
  }

  /**
   * `torch.randn(count)`, float32.
   *
   * Fewer than 16 elements are drawn one by one in double precision. From 16 on, all uniforms come
   * first, then Box-Muller in blocks of 16; a remainder redoes the last 16 from fresh uniforms
   * (ATen's `native/cpu/DistributionTemplates.h`, normal_kernel).
   *
   * `torch.randn(count, dtype=float16)` is this rounded to float16 where 16 divides `count`, as of
   * torch 2.15: other counts there draw fewer uniforms, and torch before it drew 11-bit ones, so its
   * float16 noise was different noise.
   */
  normal(count: number): Float32Array {
    assertCount(count);
    if (count < 16) return Float32Array.from({ length: count }, () => this.#normalDouble());
    const out = this.uniform(count);
    const whole = count - count % 16;
    for (let at = 0; at < whole; at += 16) boxMuller16(out, at);
    if (whole < count) {
      out.set(this.uniform(16), count - 16);
      boxMuller16(out, count - 16);
    }
    return out;
  }

  /** `torch.rand(count)`, float32: multiples of 2^-24 in [0, 1). */
  uniform(count: number): Float32Array {
    assertCount(count);
    const out = new Float32Array(count);
    for (let i = 0; i < count; i++) out[i] = (this.#engine.nextUint32() & 0xffffff) / 2 ** 24;
    return out;
  }

  /**
   * `torch.randint(low, high, [count])`: whole numbers in low ... high - 1.
   *
   * A range of 2^28 or more takes 64 bits a number, as of torch 2.15 (older: from 2^32 on). Throws a
   * RangeError unless low < high and both are safe integers less than 2^53 apart.
   */
  integers(low: number, high: number, count: number): Float64Array {
    assertCount(count);
    const range = high - low;
    if (!Number.isSafeInteger(low) || !Number.isSafeInteger(range) || range <= 0) {
      throw new RangeError(
        `Cannot draw integers: the range is empty or not whole; got ${low} to ${high}, ` +
          `expected low < high.`,
      );
    }
    const out = new Float64Array(count);
    for (let i = 0; i < count; i++) out[i] = low + this.#below(range);
    return out;
  }

  /**
   * `torch.randperm(count)`: 0 ... count - 1 in random order.
   *
   * Throws a RangeError from 2^31 elements on, where torch changes its method.
   */
  permutation(count: number): Uint32Array {
    assertCount(count);
    if (count >= 2 ** 31) {
      throw new RangeError(
        `Cannot shuffle: too many elements; got ${count}, expected fewer than 2^31.`,
      );
    }
    const out = Uint32Array.from({ length: count }, (_, i) => i);
    for (let i = 0; i < count - 1; i++) {
      const other = i + this.#engine.nextUint32() % (count - i);
      const value = out[i]!;
      out[i] = out[other]!;
      out[other] = value;
    }
    return out;
  }

  /** One of two normals made together in double precision; the second waits for the next call. */
  #normalDouble(): number {
    const spare = this.#spare;
    if (spare !== undefined) {
      this.#spare = undefined;
      return spare;
    }
    const angle = 2 * Math.PI * this.#uniformDouble();
    const radius = Math.sqrt(-2 * Math.log1p(-this.#uniformDouble()));
    this.#spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /** 53 random bits as a multiple of 2^-53 in [0, 1). */
  #uniformDouble(): number {
    const high = this.#engine.nextUint32() & 0x1fffff;
    return (high * TWO_32 + this.#engine.nextUint32()) / 2 ** 53;
  }

  /** A whole number below `range`, by remainder; torch spends 64 bits on it from 2^28 on. */
  #below(range: number): number {
    const high = this.#engine.nextUint32();
    if (range < 2 ** 28) return high % range;
    const bits = (BigInt(high) << 32n) | BigInt(this.#engine.nextUint32());
    return Number(bits % BigInt(range));
  }
}

/** `torch.randn(count)` from a fresh CPU generator with this seed, float32. */
export function torchRandn(seed: number | bigint, count: number): Float32Array {
  return new TorchCpuGenerator(seed).normal(count);
}
