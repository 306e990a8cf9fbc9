/**
 * The float32 logarithm, sine and cosine that torch's AVX2 kernel uses for `randn` on x86.
 *
 * They are the polynomials of Cephes' logf, sinf and cosf (Moshier), evaluated with fused
 * multiply-adds. A product of two float32 numbers is exact in float64, so `f(a * b + c)` below *is*
 * a fused multiply-add, and the results equal torch's bit for bit. See ATen's
 * `native/cpu/DistributionTemplates.h`, normal_fill.
 */
const f = Math.fround;

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);

const SQRT_HALF = f(0.707106781186547524);
const LOG = Float32Array.of(
  7.0376836292e-2,
  -1.151461031e-1,
  1.1676998740e-1,
  -1.2420140846e-1,
  1.4249322787e-1,
  -1.6668057665e-1,
  2.0000714765e-1,
  -2.4999993993e-1,
  3.3333331174e-1,
);
/** ln 2 in two parts: the first has few bits, so that its product with an exponent is exact. */
const LN2_HIGH = f(0.693359375);
const LN2_LOW = f(-2.12194440e-4);

/** The natural logarithm of a normal, positive float32. */
function log32(value: number): number {
  float[0] = value;
  const bits = word[0]!;
  word[0] = (bits & 0x007fffff) | 0x3f000000;
  let x = float[0]!; // the mantissa, in [0.5, 1)
  let e = (bits >>> 23) - 126;
  if (x < SQRT_HALF) {
    e -= 1;
    x = f(f(x - 1) + x);
  } else {
    x = f(x - 1);
  }
  const z = f(x * x);
  let y = LOG[0]!;
  for (let k = 1; k < LOG.length; k++) y = f(y * x + LOG[k]!);
  y = f(y * x);
  y = f(y * z + f(e * LN2_LOW));
  y = f(y - 0.5 * z);
  return f(e * LN2_HIGH + f(x + y));
}

const FOUR_OVER_PI = f(1.27323954473516);
/** -pi/4 in three parts (Cody and Waite), for a reduction that keeps all bits. */
const PIO4_A = f(-0.78515625);
const PIO4_B = f(-2.4187564849853515625e-4);
const PIO4_C = f(-3.77489497744594108e-8);
const SIN = Float32Array.of(-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1);
const COS = Float32Array.of(2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2);

/**
 * Turns 16 uniform numbers into 16 normal ones, in place: element j is the radius and j + 8 the
 * angle of pair j.
 *
 * `data` is float32, in [0, 1) with 24 random bits each; the block is `data[at ... at + 15]`.
 */
export function boxMuller16(data: Float32Array, at: number): void {
  for (let j = at; j < at + 8; j++) {
    const radius = f(Math.sqrt(f(-2 * log32(f(1 - data[j]!)))));
    const theta = f(f(2 * Math.PI) * data[j + 8]!);
    const octant = (Math.trunc(f(theta * FOUR_OVER_PI)) + 1) & ~1;
    let x = f(octant * PIO4_A + theta);
    x = f(octant * PIO4_B + x);
    x = f(octant * PIO4_C + x);
    const z = f(x * x);

    let c = f(COS[0]! * z + COS[1]!);
    c = f(c * z + COS[2]!);
    c = f(c * z);
    c = f(f(c * z - 0.5 * z) + 1);
    let s = f(SIN[0]! * z + SIN[1]!);
    s = f(s * z + SIN[2]!);
    s = f(s * z);
    s = f(s * x + x);

    const swap = (octant & 2) !== 0;
    const sine = (octant & 4) !== 0 ? -(swap ? c : s) : (swap ? c : s);
    const cosine = ((octant - 2) & 4) === 0 ? -(swap ? s : c) : (swap ? s : c);
    data[j] = f(radius * cosine);
    data[j + 8] = f(radius * sine);
  }
}
