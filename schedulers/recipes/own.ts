import type { Level } from "../level.ts";
import type { Basis, Call } from "../plan.ts";
import type { Recipe } from "./recipe.ts";
import { inSigmaSpace, levelFinder, SIGMA_ALSO, SIGMA_OPTIONS } from "./sigma_space.ts";

/**
 * A solver of one's own, in place of a scheduler's name.
 *
 * It works where a sample is `clean + sigma * noise`: `level.noise` is sigma. The model's file and
 * the options say which levels are visited, as for Euler.
 */
export interface Solver {
  /** What plans and pictures name it by. */
  readonly name: string;
  /** What the results of its rows are: the clean picture, the noise, or the network's output. */
  readonly basis: Basis;
  /**
   * The calls of a run through `levels`, one more than there are steps: the last is where it ends.
   * `levelAt` makes the level of any other sigma.
   */
  calls(levels: readonly Level[], levelAt: (sigma: number) => Level): readonly Call[];
}

/** Plans runs of `solver`; throws RangeError for rows that weigh results which are not there yet. */
export function recipeOfSolver(solver: Solver): Recipe {
  return {
    options: { ...SIGMA_OPTIONS, sigmaSchedule: "trained", sigmaMin: null, sigmaMax: null },
    also: SIGMA_ALSO,
    draft: inSigmaSpace(solver.basis, (levels, first, settings) => {
      const calls = solver.calls(levels.slice(first), levelFinder(settings));
      calls.forEach((call, index) => checkRows(solver.name, call, index));
      return [...calls];
    }),
  };
}

function checkRows(name: string, { next, correct }: Call, index: number): void {
  for (const { results } of correct ? [correct, next] : [next]) {
    if (results.length >= 1 && results.length <= index + 1) continue;
    throw new RangeError(
      `Cannot plan a run with ${name}: call ${index + 1} must weigh 1 to ${index + 1} results, ` +
        `the newest first; got ${results.length}. Correct the solver's rows.`,
    );
  }
}
