import { assertCount, type NormalSource } from "./normal_source.ts";
import { seed64 } from "./seed.ts";

const f = Math.fround;
/** 2^-32 and 2 pi 2^-32, in float32 as cuRAND has them. */
const TO_UNIT = f(2.3283064e-10);
const TO_ANGLE = f(TO_UNIT * f(6.2831855));
const THREADS_PER_BLOCK = 256;

/** How a `randn` is spread over a GPU. */
export interface CudaDevice {
  /**
   * Threads that are resident at once: multiprocessors x (threads of one, rounded down to blocks of
   * 256). An A100 has 108 x 2048, an RTX 3090 or 4090 82 x 1536 or 128 x 1536. Larger tensors reuse
   * each thread, which changes the order of the numbers. Default: more than any tensor needs.
   */
  readonly threads?: number;
}

/**
 * torch's generator for CUDA: `torch.Generator("cuda").manual_seed(seed)`, computed on the CPU.
 *
 * Philox4x32-10 (Salmon et al., 2011) with the key = seed and the counter = (calls so far, 0,
 * thread, 0); Box-Muller as cuRAND does it. Equal to a GPU's numbers to about 1e-6, since its
 * `__sincosf` is approximate. The same numbers as A1111's and stable-diffusion.cpp's "CPU" option
 * for CUDA seeds.
 */
export class TorchCudaGenerator implements NormalSource {
  readonly #key: readonly [number, number];
  readonly #threads: number;
  #offset = 0;

  /** Throws what {@linkcode seed64} throws, and a RangeError for `threads` below one block. */
  constructor(seed: number | bigint, device: CudaDevice = {}) {
    const bits = seed64(seed);
    this.#key = [Number(bits & 0xffffffffn), Number(bits >> 32n)];
    this.#threads = device.threads ?? Infinity;
    if (!(this.#threads >= THREADS_PER_BLOCK)) {
      throw new RangeError(
        `Cannot imitate the GPU: it would run no block; got ${device.threads} threads, expected ` +
          `${THREADS_PER_BLOCK} or more.`,
      );
    }
  }

  /**
   * `torch.randn(count, device="cuda")`, float32.
   *
   * One thread makes four normals a round and writes them a whole grid apart (ATen's
   * `native/cuda/DistributionTemplates.h`).
   */
  normal(count: number): Float32Array {
    assertCount(count);
    const out = new Float32Array(count);
    if (count === 0) return out;
    const blocks = Math.ceil(count / THREADS_PER_BLOCK);
    const grid = Math.min(blocks, Math.floor(this.#threads / THREADS_PER_BLOCK)) *
      THREADS_PER_BLOCK;
    const rounds = Math.ceil(count / (grid * 4));
    for (let round = 0; round < rounds; round++) {
      const first = round * grid * 4;
      for (let thread = 0; thread < grid && first + thread < count; thread++) {
        const [x, y, z, w] = philox4x32([this.#offset + round, 0, thread, 0], this.#key);
        writePair(out, first + thread, grid, x, y);
        writePair(out, first + thread + 2 * grid, grid, z, w);
      }
    }
    this.#offset += rounds;
    return out;
  }
}

/**
 * Philox4x32-10: four random words from a counter of four words and a key of two (Salmon et al.,
 * "Parallel random numbers: as easy as 1, 2, 3", 2011).
 */
export function philox4x32(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): [number, number, number, number] {
  let [a, b, c, d] = counter;
  let [keyA, keyB] = key;
  for (let round = 0; round < 10; round++) {
    const highA = mulHigh(0xd2511f53, a), lowA = Math.imul(0xd2511f53, a) >>> 0;
    const highC = mulHigh(0xcd9e8d57, c), lowC = Math.imul(0xcd9e8d57, c) >>> 0;
    a = (highC ^ b ^ keyA) >>> 0;
    b = lowC;
    c = (highA ^ d ^ keyB) >>> 0;
    d = lowA;
    keyA = (keyA + 0x9e3779b9) >>> 0;
    keyB = (keyB + 0xbb67ae85) >>> 0;
  }
  return [a, b, c, d];
}

/** The upper 32 bits of the product of two unsigned 32-bit numbers. */
function mulHigh(a: number, b: number): number {
  const aLow = a & 0xffff, aHigh = a >>> 16, bLow = b & 0xffff, bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = aLow * bHigh + (middle % 0x10000);
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(carry / 0x10000)) >>> 0;
}

/** cuRAND's Box-Muller: the sine at `at`, the cosine a grid further, where they fit. */
function writePair(out: Float32Array, at: number, grid: number, x: number, y: number): void {
  if (at >= out.length) return;
  const u = f(f(x) * TO_UNIT + f(TO_UNIT / 2));
  const angle = f(f(y) * TO_ANGLE + f(TO_ANGLE / 2));
  const radius = f(Math.sqrt(f(-2 * f(Math.log(u)))));
  out[at] = radius * f(Math.sin(angle));
  if (at + grid < out.length) out[at + grid] = radius * f(Math.cos(angle));
}
