/**
 * What a network's output says about the clean picture and about the noise.
 * @module
 */
import type { Level } from "./level.ts";
import type { Basis, Prediction, Stage } from "./plan.ts";

/** Weights of the sample and of the network's output. */
type Affine = Stage["denoised"];

/**
 * The clean picture as `sample * x + output * prediction`.
 *
 * At a level with signal a and noise s, scaled to unit variance by t = sqrt(a^2 + s^2):
 * epsilon (Ho et al. 2020), v = (a * z - s * clean) / t (Salimans & Ho 2022), sample, and flow
 * v = z - clean (Lipman et al. 2023).
 */
export function toDenoised(prediction: Prediction, { signal, noise }: Level): Affine {
  switch (prediction) {
    case "epsilon":
      return { sample: 1 / signal, output: -noise / signal };
    case "v_prediction": {
      const total = Math.sqrt(signal * signal + noise * noise);
      return { sample: signal / (total * total), output: -noise / total };
    }
    case "sample":
      return { sample: 0, output: 1 };
    case "flow_prediction":
      return { sample: 1 / (signal + noise), output: -noise / (signal + noise) };
  }
}

/** The noise z as `sample * x + output * prediction`, at the same four predictions. */
export function toEpsilon(prediction: Prediction, level: Level): Affine {
  const { signal, noise } = level;
  switch (prediction) {
    case "epsilon":
      return { sample: 0, output: 1 };
    case "v_prediction": {
      const total = Math.sqrt(signal * signal + noise * noise);
      return { sample: noise / (total * total), output: signal / total };
    }
    case "sample":
      return { sample: 1 / noise, output: -signal / noise };
    case "flow_prediction":
      return { sample: 1 / (signal + noise), output: signal / (signal + noise) };
  }
}

/** How one call's result is formed, given what the solver remembers and whether it is clipped. */
export function toResult(
  basis: Basis,
  prediction: Prediction,
  level: Level,
  clipped: boolean,
): Stage["result"] {
  if (basis === "denoised") return { sample: 0, output: 0, denoised: 1 };
  if (basis === "output") return { sample: 0, output: 1, denoised: 0 };
  if (!clipped) return { ...toEpsilon(prediction, level), denoised: 0 };
  return { sample: 1 / level.noise, output: 0, denoised: -level.signal / level.noise };
}

/** `value` as a prediction type; throws RangeError when it is none. "original_sample" is "sample". */
export function parsePrediction(value: string): Prediction {
  switch (value) {
    case "epsilon":
    case "v_prediction":
    case "sample":
    case "flow_prediction":
      return value;
    case "original_sample":
      return "sample";
    default:
      throw new RangeError(
        `Cannot plan a run: the prediction type is unknown; got "${value}", expected epsilon, ` +
          `v_prediction, sample or flow_prediction. Correct "prediction_type" or --prediction.`,
      );
  }
}
