/** Learning rates over time: pure functions of the step. */

/** The rate at step 0, 1, ... */
export type LearningRate = (step: number) => number;

/** Schedules by the names that the command line takes. */
export const SCHEDULES = ["constant", "cosine", "one-cycle"] as const;

/** The same rate always. */
export function constantRate(rate: number): LearningRate {
  return () => rate;
}

/** From `rate` along half a cosine to `last`, after `steps` steps (arXiv:1608.03983). */
export function cosineRate(rate: number, steps: number, last = 0): LearningRate {
  return (step) => cosineBetween(rate, last, Math.min(step, steps) / steps);
}

/**
 * Up to `rate` for the first `rise` of the steps, then down to nearly nothing, both along half a
 * cosine (Smith & Topin 2018, arXiv:1708.07120), as `torch.optim.lr_scheduler.OneCycleLR`.
 */
export function oneCycleRate(
  rate: number,
  steps: number,
  rise = 0.3,
): LearningRate {
  const first = rate / 25, last = first / 1e4, peak = rise * steps - 1;
  return (step) =>
    step <= peak
      ? cosineBetween(first, rate, step / peak)
      : cosineBetween(rate, last, Math.min((step - peak) / (steps - 1 - peak), 1));
}

/** `then`, multiplied by a straight rise from 0 to 1 over the first `steps` steps. */
export function warmUp(steps: number, then: LearningRate): LearningRate {
  return (step) => then(step) * Math.min(1, (step + 1) / (steps + 1));
}

/** A schedule by its name, after `warmUpSteps`. */
export function learningRate(
  name: (typeof SCHEDULES)[number],
  { rate, steps, warmUpSteps = 0 }: { rate: number; steps: number; warmUpSteps?: number },
): LearningRate {
  const then = {
    constant: () => constantRate(rate),
    cosine: () => cosineRate(rate, steps),
    "one-cycle": () => oneCycleRate(rate, steps),
  }[name]();
  return warmUpSteps === 0 ? then : warmUp(warmUpSteps, then);
}

function cosineBetween(from: number, to: number, share: number): number {
  return to + (from - to) * (1 + Math.cos(Math.PI * share)) / 2;
}
