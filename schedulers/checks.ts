/**
 * What every loop checks after the network has answered.
 * @module
 */
import type { Stage } from "./plan.ts";

/** The sample stopped being finite numbers; `index` and `stage` say where. */
export class NotFiniteError extends Error {
  /** Tells this error from others where classes cannot be compared. */
  override readonly name = "NotFiniteError";

  /** `index` of `count` calls; `part` says what is not finite, with its verb. */
  constructor(readonly index: number, readonly stage: Stage, count: number, part: string) {
    super(
      `Cannot denoise step ${index + 1} of ${count} (timestep ${stage.timestep}, sigma ` +
        `${stage.sigma}): ${part} not finite; got NaN or Infinity, expected numbers. ` +
        `Weights that hold NaN do that, and half precision that overflows: ` +
        `\`latent explain model FILE\` scans them.`,
    );
  }
}

/** Throws RangeError unless the network answered with as many values as the sample has. */
export function checkLength(output: Float32Array, sample: Float32Array, stage: Stage): void {
  if (output.length === sample.length) return;
  throw new RangeError(
    `Cannot denoise at timestep ${stage.timestep}: the network's output has another size than ` +
      `the sample; got ${output.length} values, expected ${sample.length}. ` +
      `Networks that also predict a variance need that half cut off.`,
  );
}

/** Throws NotFiniteError if the new sample holds NaN or Infinity, and says where it came from. */
export function checkFinite(
  sample: Float32Array,
  output: Float32Array,
  stage: Stage,
  index: number,
  count: number,
): void {
  if (allFinite(sample)) return;
  const part = allFinite(output) ? "the sample is" : "the network's output is";
  throw new NotFiniteError(index, stage, count, part);
}

function allFinite(values: Float32Array): boolean {
  let sum = 0;
  // Zero times a finite number is zero; times anything else it is NaN, which stays.
  for (let i = 0; i < values.length; i++) sum += values[i]! * 0;
  return sum === 0;
}
