/**
 * The trained noise table: how much of the picture is left at each of the (usually 1000) timesteps.
 * @module
 */
import { cumulativeProduct, linspaceFloat32 } from "./float32.ts";

/** How the betas of a noise table are made; names as in `scheduler_config.json`. */
export type BetaSchedule = "linear" | "scaled_linear" | "squaredcos_cap_v2" | "laplace" | "sigmoid";

/** What a noise table is made from; `trainedBetas` replaces the schedule when given. */
export interface NoiseTableOptions {
  /** How many timesteps the table has, usually 1000. */
  readonly numTrainTimesteps: number;
  /** Variance added by the first timestep. */
  readonly betaStart: number;
  /** Variance added by the last timestep. */
  readonly betaEnd: number;
  /** How the betas between them are spaced. */
  readonly betaSchedule: BetaSchedule;
  /** The betas themselves, in place of all of these. */
  readonly trainedBetas: readonly number[] | null;
  /** Shift the table so that its last timestep holds no picture at all. */
  readonly rescaleBetasZeroSnr: boolean;
}

/**
 * The table, both columns float32 `[numTrainTimesteps]`.
 *
 * `alphasCumprod` is torch's on a CPU bit for bit, for every schedule but "sigmoid" (within 8 ulps:
 * torch's vectorised exponential is not correctly rounded) and zero-SNR tables (within 8 ulps: a square
 * root is in them). `sigmas` are correctly rounded; torch built with MKL takes square roots that are
 * not, and differs in the last bit of up to 20 of 1000 entries. Which ones depends on the processor it
 * runs on, so they are not imitated.
 */
export interface NoiseTable {
  /** Product of (1 - beta) up to each timestep: the squared weight of the clean picture. */
  readonly alphasCumprod: Float32Array;
  /** sqrt((1 - alphasCumprod) / alphasCumprod): noise relative to the clean picture. */
  readonly sigmas: Float32Array;
}

const f32 = Math.fround;

/**
 * Makes the table. Throws RangeError for an unknown beta schedule.
 *
 * `sigmaSpace` says that the samplers divide by the last entry, so that zero signal there is
 * replaced by 2^-24 (diffusers does so for every scheduler that works with sigmas).
 */
export function noiseTable(options: NoiseTableOptions, sigmaSpace: boolean): NoiseTable {
  let betas = trainedBetas(options);
  if (options.rescaleBetasZeroSnr) betas = rescaleToZeroTerminalSnr(betas);
  const alphasCumprod = cumulativeProduct(betas.map((beta) => 1 - beta));
  if (options.rescaleBetasZeroSnr && sigmaSpace) alphasCumprod[alphasCumprod.length - 1] = 2 ** -24;
  return { alphasCumprod, sigmas: alphasCumprod.map(sigmaOf) };
}

/** Noise relative to the clean picture where the squared signal is `alphaCumprod`, in float32. */
export function sigmaOf(alphaCumprod: number): number {
  return f32(Math.sqrt(f32(f32(1 - alphaCumprod) / alphaCumprod)));
}

function trainedBetas(options: NoiseTableOptions): Float32Array {
  const { numTrainTimesteps: count, betaStart, betaEnd, betaSchedule, trainedBetas } = options;
  if (trainedBetas !== null) return Float32Array.from(trainedBetas);
  switch (betaSchedule) {
    case "linear":
      return linspaceFloat32(betaStart, betaEnd, count);
    case "scaled_linear":
      return linspaceFloat32(Math.sqrt(betaStart), Math.sqrt(betaEnd), count)
        .map((root) => root * root);
    case "squaredcos_cap_v2":
      return betasFromSignal(count, (t) => Math.cos((t + 0.008) / 1.008 * Math.PI / 2) ** 2);
    case "laplace":
      return betasFromSignal(count, laplaceSignal);
    case "sigmoid": {
      const scale = f32(betaEnd - betaStart);
      return linspaceFloat32(-6, 6, count)
        .map((x) => f32(f32(1 / f32(1 + f32(Math.exp(-x)))) * scale) + f32(betaStart));
    }
    default:
      throw new RangeError(
        `Cannot make the noise table: the beta schedule is unknown; got "${betaSchedule}", ` +
          `expected linear, scaled_linear, squaredcos_cap_v2, laplace or sigmoid. ` +
          `Correct "beta_schedule" in scheduler_config.json.`,
      );
  }
}

/** Betas whose running product of (1 - beta) follows `signal(t)`, t in 0..1 (Nichol & Dhariwal 2021). */
function betasFromSignal(count: number, signal: (t: number) => number): Float32Array {
  return Float32Array.from(
    { length: count },
    (_, i) => Math.min(1 - signal((i + 1) / count) / signal(i / count), 0.999),
  );
}

/** Squared signal of a Laplace-distributed log signal-to-noise ratio (Hang et al. 2024). */
function laplaceSignal(t: number): number {
  const logSnr = -0.5 * (t > 0.5 ? -1 : 1) * Math.log(1 - 2 * Math.abs(0.5 - t) + 1e-6);
  const snr = Math.exp(logSnr);
  return Math.sqrt(snr / (1 + snr));
}

/**
 * Shifts and scales sqrt(alphasCumprod) so that the last timestep holds no picture at all.
 *
 * Lin et al. 2023, "Common Diffusion Noise Schedules and Sample Steps are Flawed", algorithm 1.
 */
function rescaleToZeroTerminalSnr(betas: Float32Array): Float32Array {
  const roots = cumulativeProduct(betas.map((beta) => 1 - beta)).map(Math.sqrt);
  const first = roots[0]!;
  const last = roots[roots.length - 1]!;
  const scale = f32(first / f32(first - last));
  const product = roots.map((root) => f32(f32(root - last) * scale)).map((root) => root * root);
  return product.map((value, i) => 1 - (i === 0 ? value : f32(value / product[i - 1]!)));
}
