/**
 * Kinds of guidance: how the predictions under several prompts become one.
 *
 * @module
 */

import { cfgPlusPlusScale, classifierFreeGuidance, editGuidance } from "../schedulers/guidance.ts";
import {
  GuidanceMomentum,
  perpendicularNegativeGuidance,
  projectedGuidance,
} from "../schedulers/guidance_projection.ts";
import type { Plan, Stage } from "../schedulers/plan.ts";

/** Which call of the plan a prediction is for. */
export interface GuidedCall {
  readonly stage: Stage;
  readonly index: number;
  /** Calls of the whole run. */
  readonly count: number;
}

/**
 * Writes one prediction to `out` from those under each prompt, in the order of the conditionings:
 * the prompt's own is the last. All Float32Array [channels, height, width].
 */
export type Guide = (
  parts: readonly Float32Array[],
  out: Float32Array,
  call: GuidedCall,
) => void;

/**
 * Names of the kinds: classifier-free; CFG++ (arXiv:2406.08070), for Euler and DDIM; Perp-Neg
 * (arXiv:2304.04968), which asks a third time under the empty prompt; adaptive projected guidance
 * (arXiv:2410.02416).
 */
export type GuidanceKind = "cfg" | "cfg++" | "perp-neg" | "apg";

/** The prompt alone. */
export const noGuidance: Guide = (parts, out) => out.set(parts.at(-1)!);

/** InstructPix2Pix: of predictions with neither, with the picture, and with picture and prompt. */
export const editGuide =
  (scale: number, imageScale: number): Guide => ([uncond, image, text], out) => {
    editGuidance({ uncond: uncond!, image: image!, text: text! }, scale, imageScale, out);
  };

/** Makes the guide of one run. @throws {RangeError} where the plan's steps cannot be CFG++ steps. */
export function guideOf(kind: GuidanceKind, scale: number, plan: Plan): Guide {
  return guidesOf(scale, plan)[kind]();
}

function guidesOf(scale: number, plan: Plan): Readonly<Record<GuidanceKind, () => Guide>> {
  return {
    "cfg": () => ([uncond, cond], out) => classifierFreeGuidance(uncond!, cond!, scale, out),
    "cfg++": () => {
      requireEuler(plan);
      const { stages } = plan;
      return ([uncond, cond], out, { stage, index }) => {
        const next = stages[index + 1]?.sigma ?? 0;
        classifierFreeGuidance(uncond!, cond!, cfgPlusPlusScale(scale, stage.sigma, next), out);
      };
    },
    "perp-neg": () => ([empty, negative, cond], out) => {
      perpendicularNegativeGuidance(
        { empty: empty!, negative: negative!, cond: cond! },
        { scale },
        out,
      );
    },
    "apg": () => {
      // The paper's own settings for Stable Diffusion XL: eta 0, momentum -0.5, norm limit 15.
      const momentum = new GuidanceMomentum(-0.5);
      return ([uncond, cond], out) => {
        out.set(projectedGuidance(uncond!, cond!, { scale, eta: 0, normThreshold: 15, momentum }));
      };
    },
  };
}

/** CFG++ replaces the noise that an Euler or DDIM step adds back: other steps have no such term. */
function requireEuler({ scheduler, stages }: Plan): void {
  const simple = stages.every(({ next, advance, churn }) =>
    advance && next.results.length === 1 &&
    (next.noise ?? next.precondition ?? churn) === undefined
  );
  if (simple) return;
  throw new RangeError(
    `Cannot use CFG++ with ${scheduler}: its steps are not Euler's. Take EulerDiscreteScheduler ` +
      "or DDIMScheduler.",
  );
}
