/**
 * Everything a `scheduler_config.json` can say, with one name, one type and one default each.
 * @module
 */
import type { NoiseTableOptions } from "./noise_table.ts";
import type { Prediction } from "./plan.ts";
import type { SigmaSchedule } from "./sigmas.ts";
import type { Spacing } from "./spacing.ts";

/** diffusers' options in camelCase, and `eta`, which diffusers gives to the pipeline. */
export interface Settings extends NoiseTableOptions {
  /** What the network was trained to say. */
  readonly predictionType: Prediction;
  /** Which of the trained timesteps are visited. */
  readonly timestepSpacing: Spacing;
  /** Added to every timestep of "leading" spacing. */
  readonly stepsOffset: number;
  /** Fresh noise, from 0 (none) to 1 (all that fits): DDIM and TCD begin at 0, ancestral samplers at 1. */
  readonly eta: number;

  /**
   * Euler, Heun: noise added to the sample on the way, Karras et al.'s S_churn; 0 for none. The
   * network is asked at the raised sigma, as in the paper; diffusers' Euler asks before adding.
   */
  readonly sChurn: number;
  /** The smallest sigma at which it is added. */
  readonly sTmin: number;
  /** The largest. */
  readonly sTmax: number;
  /** Its size, in units of what keeps the noise level right. */
  readonly sNoise: number;

  /** Clamp each estimate of the clean picture to `clipSampleRange`. */
  readonly clipSample: boolean;
  /** The largest absolute value that `clipSample` leaves. */
  readonly clipSampleRange: number;
  /** Clamp each estimate to its own quantile instead (for pixels, not latents). */
  readonly thresholding: boolean;
  /** The quantile, 0..1. */
  readonly dynamicThresholdingRatio: number;
  /** The largest clamp that thresholding may choose. */
  readonly sampleMaxValue: number;

  /** End without any noise, rather than with that of timestep 0. */
  readonly setAlphaToOne: boolean;
  /**
   * DDIM: go to the timestep visited next. If not, a step goes one stride of timesteps down, as in
   * diffusers, which with "linspace" and some step counts is not where the next one begins.
   */
  readonly exactSteps: boolean;
  /** PNDM: begin with multistep steps at once, without Runge-Kutta. */
  readonly skipPrkSteps: boolean;
  /** DDPM: which variance the fresh noise has. */
  readonly varianceType: string | null;
  /** LCM, TCD: how many timesteps the model was distilled at. */
  readonly originalInferenceSteps: number;
  /** LCM: how fast the boundary condition leaves the identity. */
  readonly timestepScaling: number;

  /** In files: use_karras_sigmas, use_exponential_sigmas, use_beta_sigmas; EDM's sigma_schedule. */
  readonly sigmaSchedule: SigmaSchedule;
  /** How sigmas are read between trained timesteps: "linear" or "log_linear". */
  readonly interpolationType: string;
  /** What the network is told: "discrete" timesteps, or "continuous" log(sigma) / 4. */
  readonly timestepType: string;
  /** Where a run ends: at "zero" noise or at "sigma_min". */
  readonly finalSigmasType: string;
  /** The smallest scheduled sigma; null takes the table's. */
  readonly sigmaMin: number | null;
  /** The largest scheduled sigma; null takes the table's. */
  readonly sigmaMax: number | null;
  /** DPM++ SDE: seed of its Brownian path; null takes the run's. */
  readonly noiseSamplerSeed: number | null;
  /** EDM: standard deviation of the training data. */
  readonly sigmaData: number;
  /** EDM: exponent of its sigmas. */
  readonly rho: number;

  /** How many results a step of DPM-Solver, DEIS or UniPC looks at, 1..3. */
  readonly solverOrder: number;
  /** DPM-Solver: "dpmsolver++", "dpmsolver", or either with "sde-" before it. */
  readonly algorithmType: string;
  /** DPM-Solver: "midpoint" or "heun"; UniPC: "bh1" or "bh2". */
  readonly solverType: string;
  /** Lower the order of the last steps. */
  readonly lowerOrderFinal: boolean;
  /** Make the last step one of first order. */
  readonly eulerAtFinal: boolean;
  /** DPM-Solver: space lambda evenly, unless sigmas are Karras's. */
  readonly useLuLambdas: boolean;
  /** Leave out timesteps with less log(signal / noise) than this. */
  readonly lambdaMinClipped: number;
  /** UniPC: remember the clean picture, rather than the noise. */
  readonly predictX0: boolean;
  /** UniPC: steps that are not corrected. */
  readonly disableCorrector: readonly number[];

  /** Optimizers: how much of the earlier directions a step keeps, above -1 to below 1. */
  readonly momentum: number;
  /** Adam, RMSprop: how much of the running size of directions stays, 0 to below 1. */
  readonly squareMomentum: number;
  /** Adam, RMSprop: added to that size; large values turn preconditioning off. */
  readonly adamEpsilon: number;
  /** Optimizers: factor of the first step's length. */
  readonly learningRate: number;
  /** Optimizers: how that factor becomes 1 on the way, "linear" or "cosine", or is kept, "constant". */
  readonly learningRateSchedule: string;
  /** Gradient estimation: how far the newest noise is pushed away from the one before; 1 is Euler. */
  readonly geGamma: number;

  /** Mix picture and noise linearly, as flow models are trained. */
  readonly useFlowSigmas: boolean;
  /** Shift of those mixes towards noise. */
  readonly flowShift: number;
  /** Flow schedulers: shift towards noise. */
  readonly shift: number;
  /** Flow schedulers: shift by the size of the picture instead. */
  readonly useDynamicShifting: boolean;
  /** The shift, in log, of a picture of `baseImageSeqLen` tokens. */
  readonly baseShift: number;
  /** The shift, in log, of a picture of `maxImageSeqLen` tokens. */
  readonly maxShift: number;
  /** Tokens of a small picture. */
  readonly baseImageSeqLen: number;
  /** Tokens of a large picture. */
  readonly maxImageSeqLen: number;
  /** Run from picture to noise. */
  readonly invertSigmas: boolean;
  /** Stretch the run so that its last visited sigma is this. */
  readonly shiftTerminal: number | null;
  /** Whether the dynamic shift is "exponential" or "linear". */
  readonly timeShiftType: string;
  /** Flow schedulers: jump to the picture and add fresh noise in each step. */
  readonly stochasticSampling: boolean;
}

/** diffusers' library defaults; each recipe names its options with its own defaults. */
export const LIBRARY_DEFAULTS: Settings = Object.freeze({
  numTrainTimesteps: 1000,
  betaStart: 0.0001,
  betaEnd: 0.02,
  betaSchedule: "linear",
  trainedBetas: null,
  rescaleBetasZeroSnr: false,
  predictionType: "epsilon",
  timestepSpacing: "linspace",
  stepsOffset: 0,
  eta: 0,
  sChurn: 0,
  sTmin: 0,
  sTmax: Infinity,
  sNoise: 1,
  clipSample: false,
  clipSampleRange: 1,
  thresholding: false,
  dynamicThresholdingRatio: 0.995,
  sampleMaxValue: 1,
  setAlphaToOne: true,
  exactSteps: false,
  skipPrkSteps: false,
  varianceType: null,
  originalInferenceSteps: 50,
  timestepScaling: 10,
  sigmaSchedule: "trained",
  interpolationType: "linear",
  timestepType: "discrete",
  finalSigmasType: "zero",
  sigmaMin: null,
  sigmaMax: null,
  noiseSamplerSeed: null,
  sigmaData: 0.5,
  rho: 7,
  solverOrder: 2,
  algorithmType: "dpmsolver++",
  solverType: "midpoint",
  lowerOrderFinal: true,
  eulerAtFinal: false,
  useLuLambdas: false,
  lambdaMinClipped: -Infinity,
  predictX0: true,
  disableCorrector: [],
  momentum: 0,
  squareMomentum: 0.99,
  adamEpsilon: 1,
  learningRate: 1,
  learningRateSchedule: "constant",
  geGamma: 2,
  useFlowSigmas: false,
  flowShift: 1,
  shift: 1,
  useDynamicShifting: false,
  baseShift: 0.5,
  maxShift: 1.15,
  baseImageSeqLen: 256,
  maxImageSeqLen: 4096,
  invertSigmas: false,
  shiftTerminal: null,
  timeShiftType: "exponential",
  stochasticSampling: false,
});
