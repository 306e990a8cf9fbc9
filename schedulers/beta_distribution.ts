/**
 * Quantiles of the beta distribution, for the "beta" sigma schedule.
 * @module
 */

/** The x at which the Beta(a, b) distribution function reaches `p`; 0 at p = 0, 1 at p = 1. */
export function betaQuantile(p: number, a: number, b: number): number {
  if (p <= 0) return 0;
  if (p >= 1) return 1;
  let low = 0;
  let high = 1;
  let x = 0.5;
  // Bisection keeps Newton's steps inside: the density is infinite at both ends when a, b < 1.
  for (let i = 0; i < 200 && high - low > 1e-17; i++) {
    const error = betaDistribution(x, a, b) - p;
    if (error > 0) high = x;
    else low = x;
    const next = x - error / betaDensity(x, a, b);
    const inside = next > low && next < high;
    if (inside && Math.abs(next - x) <= 1e-16 * x) return next;
    x = inside ? next : (low + high) / 2;
  }
  return x;
}

function betaDensity(x: number, a: number, b: number): number {
  return Math.exp((a - 1) * Math.log(x) + (b - 1) * Math.log1p(-x) - logBeta(a, b));
}

/** The regularised incomplete beta function I_x(a, b). */
function betaDistribution(x: number, a: number, b: number): number {
  if (x > (a + 1) / (a + b + 2)) return 1 - betaDistribution(1 - x, b, a);
  const front = Math.exp(a * Math.log(x) + b * Math.log1p(-x) - logBeta(a, b)) / a;
  return front / continuedFraction(x, a, b);
}

/** Lentz's evaluation of the continued fraction of I_x (DLMF 8.17.22). */
function continuedFraction(x: number, a: number, b: number): number {
  let c = 1;
  let d = 0;
  let value = 1;
  for (let m = 1; m < 400; m++) {
    const k = m >> 1;
    const term = m % 2 === 0
      ? k * (b - k) * x / ((a + m - 1) * (a + m))
      : -(a + k) * (a + b + k) * x / ((a + m - 1) * (a + m));
    d = 1 / (1 + term * d);
    c = 1 + term / c;
    value *= c * d;
    if (Math.abs(c * d - 1) < 1e-16) break;
  }
  return value;
}

function logBeta(a: number, b: number): number {
  return logGamma(a) + logGamma(b) - logGamma(a + b);
}

/** log Gamma(x) for x > 0: Stirling's series after shifting x above 16 (DLMF 5.11.1). */
function logGamma(x: number): number {
  let shift = 0;
  let y = x;
  for (; y < 16; y++) shift += Math.log(y);
  const inverse = 1 / (y * y);
  const terms = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188];
  const series = terms.reduceRight((sum, term) => sum * inverse + term, 0) / y;
  return (y - 0.5) * Math.log(y) - y + 0.5 * Math.log(2 * Math.PI) + series - shift;
}
