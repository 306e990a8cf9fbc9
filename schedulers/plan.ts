/**
 * A sampling run as data: one stage for each call of the network, each with its row of weights.
 *
 * Everything about a run except the network's answers and the random numbers is decided before it
 * starts. A plan can be printed, compared, stored, or lowered to another runtime.
 * @module
 */
import type { Level } from "./level.ts";
import type { Clipping } from "./clipping.ts";

/**
 * Weights of the next sample:
 * `x' = start * x_start + sum(results[k] * result_k) + unclipped * denoised + sum(noise[k] * z_k)`.
 */
export interface Row {
  /** Weight of the sample at the start of the step (several calls may belong to one step). */
  readonly start: number;
  /** Weights of the results so far, the newest first. */
  readonly results: readonly number[];
  /** Weight of this call's denoised estimate before clipping; only where clipping is on. */
  readonly unclipped?: number;
  /**
   * Weights of draws from N(0, I), the newest first. Present means that one is drawn now, even
   * if its weight is 0: the generator moves on as it does in diffusers.
   */
  readonly noise?: readonly number[];
  /** The draw is the scaled increment of a Brownian path between these sigmas, if one is laid. */
  readonly interval?: { readonly from: number; readonly to: number };
  /** What the weighted sum of the results is divided by, element by element. */
  readonly precondition?: Precondition;
}

/**
 * The running size of the newest result, in units that leave results of size 1 as they are: the sum
 * of the results is multiplied by `(1 + floor) / (sqrt(correction * v) + floor)`, where `v` begins
 * at 0 and becomes `decay * v + (1 - decay) * result_0^2`. The one thing in a row that is no weight.
 */
export interface Precondition {
  /** How much of `v` stays, 0 to below 1. */
  readonly decay: number;
  /** Makes up for `v` having begun at 0. */
  readonly correction: number;
  /** Added to the size: large values turn preconditioning off. */
  readonly floor: number;
}

/** What a solver remembers of each call: the clean picture, the noise, or the output as it is. */
export type Basis = "denoised" | "epsilon" | "output";

/** A solver's word on one call of the network, before prediction type and clipping come in. */
export interface Call {
  /** Where the network is asked. */
  readonly level: Level;
  /** Standard deviation of fresh noise that is added to the sample before; absent: none is drawn. */
  readonly churn?: number;
  /** Recomputes the sample this call was asked at, before `next` (UniPC's corrector). */
  readonly correct?: Row;
  /** The weights of the next sample. */
  readonly next: Row;
  /** Whether `next` ends the step; if not, the step's start stays what it was. */
  readonly advance: boolean;
}

/** One call of the network and what is done with its output. All weights are float64. */
export interface Stage extends Call {
  /** Timestep given to the network; a whole number for integer samplers, else a float32. */
  readonly timestep: number;
  /** Noise relative to signal at this call. */
  readonly sigma: number;
  /** The network sees `x * inputScale`. */
  readonly inputScale: number;
  /** The clean picture by this call: `sample * x + output * prediction`. */
  readonly denoised: { readonly sample: number; readonly output: number };
  /** What joins the results: `sample * x + output * prediction + denoised * clipped estimate`. */
  readonly result: { readonly sample: number; readonly output: number; readonly denoised: number };
}

/** What the network's output means; names as in `scheduler_config.json`. */
export type Prediction = "epsilon" | "v_prediction" | "sample" | "flow_prediction";

/** A whole run. */
export interface Plan {
  /** diffusers' name of the scheduler, such as "EulerDiscreteScheduler". */
  readonly scheduler: string;
  /** What the network's output means. */
  readonly prediction: Prediction;
  /** What the rows' `results` are. */
  readonly basis: Basis;
  /** A run from nothing starts with `N(0, I) * initialScale`. */
  readonly initialScale: number;
  /** The calls of the network, in order. */
  readonly stages: readonly Stage[];
  /** A path whose increments make the noise repeatable for any step count: `Row.interval`. */
  readonly brownianPath?: {
    readonly from: number;
    readonly to: number;
    readonly seed: number | null;
  };
  /** Present where step sizes are found on the way; `stages` then holds the first one only. */
  readonly adaptive?: AdaptiveSearch;
  /** What is done to each denoised estimate; such a plan is a table of weights but for this step. */
  readonly clipping?: Clipping;
}

/** How a run finds its own steps; all lengths are in log sigma. */
export interface AdaptiveSearch {
  /** Sigma at which the run begins. */
  readonly from: number;
  /** Sigma at which it ends. */
  readonly to: number;
  /** Length of the first step that is tried. */
  readonly firstStep: number;
  /** Two estimates may differ by this much. */
  readonly absoluteTolerance: number;
  /** Or by this part of the sample, if that is more. */
  readonly relativeTolerance: number;
  /** The call of the network at a sigma. */
  readonly stageAt: (sigma: number) => Stage;
}

/**
 * Noises `clean` to where the plan's stage `index` begins, in place of `initialScale` (image to
 * image), and again after each step for the kept part of a picture (inpainting).
 *
 * All arrays Float32Array `[n]`; the result is new.
 */
export function addNoise(
  plan: Plan,
  index: number,
  clean: Float32Array,
  noise: Float32Array,
): Float32Array {
  const stage = plan.stages[index];
  if (stage === undefined) {
    throw new RangeError(
      `Cannot add noise: the plan has no such stage; got ${index}, ` +
        `expected 0..${plan.stages.length - 1}.`,
    );
  }
  const { signal, noise: whole } = stage.level;
  // What is added before the call is not there yet.
  const amount = Math.sqrt(whole ** 2 - (stage.churn ?? 0) ** 2);
  return clean.map((value, i) => signal * value + amount * noise[i]!);
}
