import { seedSequence } from "./seed_sequence.ts";
import { torchRandn } from "./torch_cpu.ts";

const f = Math.fround;
/** torchsde's tol = 1e-6: times are rounded to six decimals. */
const DECIMALS = 6;
const POOL_SIZE = 24;
/** Increments kept for reuse; a query needs its ancestors, about 25 of them. */
const CACHE_SIZE = 45;

/** Where a Brownian path lives. */
export interface BrownianOptions {
  /** One end, usually the smallest sigma of a schedule. */
  readonly from: number;
  /** The other end, usually the largest sigma; the ends may change places. */
  readonly to: number;
  /** A whole number, 0 or more. */
  readonly seed: number | bigint;
  /** Elements of one increment. */
  readonly size: number;
}

/** An interval of the dyadic tree; `left` and `right` exist once it was split. */
interface Interval {
  readonly start: number;
  readonly end: number;
  readonly parent: Interval | undefined;
  readonly depth: number;
  /** The path from the root as binary digits: 0 left, 1 right. */
  readonly key: number;
  left?: Interval;
  right?: Interval;
}

/**
 * A Brownian path whose increments depend on the seed alone, not on the order of the questions.
 *
 * Equal to `torchsde.BrownianTree` 0.2.6 on the CPU, as diffusers' DPMSolverSDEScheduler and
 * k-diffusion's SDE samplers use it: each half of an interval is a Brownian bridge whose noise is
 * `torch.randn` seeded from NumPy's SeedSequence at that place of the tree.
 */
export class BrownianTree {
  readonly #seed: number | bigint;
  readonly #size: number;
  readonly #root: Interval;
  readonly #total: Float32Array;
  readonly #cache = new Map<Interval, Float32Array>();

  /** Throws a RangeError for equal or non-finite ends, or a seed that SeedSequence refuses. */
  constructor(options: BrownianOptions) {
    const { from, to, seed, size } = options;
    if (!Number.isFinite(from) || !Number.isFinite(to) || from === to) {
      throw new RangeError(
        `Cannot lay a Brownian path: its ends must differ and be finite; got ${from} and ${to}.`,
      );
    }
    const start = Math.min(from, to), end = Math.max(from, to);
    const seeds = seedSequence(3, { entropy: seed, poolSize: POOL_SIZE });
    this.#seed = seed;
    this.#size = size;
    this.#root = {
      start: roundTime(start),
      end: roundTime(end),
      parent: undefined,
      depth: 0,
      key: 0,
    };
    this.#total = torchRandn(seeds[0]!, size);
    const deviation = f(Math.sqrt(end - start));
    for (let i = 0; i < size; i++) this.#total[i]! *= deviation;
  }

  /** W(to) - W(from), float32; times outside the path are moved to its ends. */
  increment(from: number, to: number): Float32Array {
    const { start, end } = this.#root;
    const clamp = (t: number) => roundTime(Math.min(Math.max(t, start), end));
    const out = new Float32Array(this.#size);
    const a = clamp(Math.min(from, to)), b = clamp(Math.max(from, to));
    if (a < b) {
      for (const part of cover(this.#root, a, b)) {
        const w = this.#incrementOf(part);
        for (let i = 0; i < out.length; i++) out[i]! += w[i]!;
      }
    }
    if (from > to) { for (let i = 0; i < out.length; i++) out[i] = -out[i]!; }
    return out;
  }

  #incrementOf(interval: Interval): Float32Array {
    const { parent } = interval;
    if (parent === undefined) return this.#total;
    let w = this.#cache.get(interval);
    if (w === undefined) w = this.#bridge(parent, interval === parent.left);
    else this.#cache.delete(interval);
    this.#cache.set(interval, w); // the last entry is the one used last
    if (this.#cache.size > CACHE_SIZE) {
      for (const oldest of this.#cache.keys()) {
        this.#cache.delete(oldest);
        break;
      }
    }
    return w;
  }

  /** One half of `parent`, given its whole increment; float32 after every operation, as in torch. */
  #bridge(parent: Interval, isLeft: boolean): Float32Array {
    const whole = this.#incrementOf(parent);
    const [seed] = seedSequence(1, {
      entropy: this.#seed,
      spawnKey: [parent.key, parent.depth],
      poolSize: POOL_SIZE,
    });
    const out = torchRandn(seed!, this.#size);
    const left = parent.left!.end - parent.start, right = parent.end - parent.left!.end;
    const reciprocal = 1 / (parent.end - parent.start);
    const deviation = f(Math.sqrt(left * right * reciprocal));
    const leftShare = f(left), scale = f(reciprocal);
    for (let i = 0; i < out.length; i++) {
      const mean = f(f(leftShare * whole[i]!) * scale);
      const leftPart = f(mean + f(deviation * out[i]!));
      out[i] = isLeft ? leftPart : whole[i]! - leftPart;
    }
    return out;
  }
}

/** `round(t, 6)` as Python does it: to the nearest, exact halves to the even digit. */
function roundTime(t: number): number {
  const halves = t * 128; // an exact half at the sixth decimal is an odd multiple of 1/128
  const rounded = Number(t.toFixed(DECIMALS));
  if (!Number.isInteger(halves) || halves % 2 === 0) return rounded;
  const digits = BigInt(Math.abs(halves)) * 10n ** BigInt(DECIMALS) / 128n;
  const even = digits % 2n === 0n ? digits : digits + 1n;
  return Math.sign(t) * Number(even) / 10 ** DECIMALS;
}

/** The children of an interval, made on the first call. */
function halves(parent: Interval): { left: Interval; right: Interval } {
  const middle = roundTime(0.5 * (parent.end + parent.start));
  const depth = parent.depth + 1, key = parent.key * 2;
  const left = parent.left ??= { start: parent.start, end: middle, parent, depth, key };
  const right = parent.right ??= { start: middle, end: parent.end, parent, depth, key: key + 1 };
  return { left, right };
}

/** The intervals of the tree that make up [a, b], from left to right. */
function cover(interval: Interval, a: number, b: number): Interval[] {
  if (a === interval.start && b === interval.end) return [interval];
  const { left, right } = halves(interval);
  if (b <= left.end) return cover(left, a, b);
  if (a >= left.end) return cover(right, a, b);
  return [...cover(left, a, left.end), ...cover(right, left.end, b)];
}

/**
 * Noise of unit variance between two sigmas, from one Brownian path: what diffusers and k-diffusion
 * call BrownianTreeNoiseSampler.
 */
export class BrownianNoise {
  readonly #tree: BrownianTree;

  /** `from` and `to` are the smallest and the largest sigma; both are rounded to float32. */
  constructor(options: BrownianOptions) {
    this.#tree = new BrownianTree({ ...options, from: f(options.from), to: f(options.to) });
  }

  /** (W(next) - W(sigma)) / sqrt(|next - sigma|), float32; throws a RangeError if they are equal. */
  between(sigma: number, next: number): Float32Array {
    const a = f(sigma), b = f(next);
    if (a === b) {
      throw new RangeError(`Cannot draw noise between equal sigmas; got ${sigma} and ${next}.`);
    }
    const out = this.#tree.increment(a, b);
    const deviation = f(Math.sqrt(Math.abs(f(b - a))));
    for (let i = 0; i < out.length; i++) out[i]! /= deviation;
    return out;
  }
}
