import { type Level, sigma } from "../level.ts";
import type { Call } from "../plan.ts";
import type { StepStart } from "./churn.ts";
import { asTheyAre } from "./euler.ts";

/**
 * "HeunPP2": Heun's step with directions from up to two levels ahead, weighed by their sigmas over
 * that of the run's beginning, for samples in sigma space. Of first order: the weights favour each
 * step's start. Three calls a step, two for the last but one, one for the last.
 */
export function heunPp2(
  levels: readonly Level[],
  starts: readonly StepStart[] = asTheyAre(levels),
): Call[] {
  const top = sigma(levels[0]!);
  return starts.flatMap((start, i): Call[] => {
    const ahead = levels.slice(i + 1, i + 3);
    const move = sigma(ahead[0]!) - sigma(start.level);
    const euler = { start: 1, results: [move] };
    // The end of the run is no place to ask at.
    const asked = i + 2 === levels.length - 1 ? ahead.slice(0, 1) : ahead.length < 2 ? [] : ahead;
    if (asked.length === 0) return [{ ...start, next: euler, advance: true }];
    const weights = asked.map((level) => sigma(level) / (top * (asked.length + 1)));
    const own = 1 - weights.reduce((sum, weight) => sum + weight, 0);
    const mixed = { start: 1, results: [...weights.toReversed(), own].map((w) => w * move) };
    const [one, two] = asked;
    const first: Call = { ...start, next: euler, advance: false };
    if (!two) return [first, { level: one!, next: mixed, advance: true }];
    const further = { start: 1, results: [sigma(two) - sigma(one!), move] };
    return [
      first,
      { level: one!, next: further, advance: false },
      { level: two, next: mixed, advance: true },
    ];
  });
}
