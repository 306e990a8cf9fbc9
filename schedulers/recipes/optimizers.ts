import type { Settings } from "../settings.ts";
import { optimizer, type OptimizerOptions } from "../solvers/optimizer.ts";
import type { Recipe } from "./recipe.ts";
import { inSigmaSpace, SIGMA_ALSO, SIGMA_OPTIONS } from "./sigma_space.ts";

/**
 * Options of all. Their defaults are the best or the least harmful of those that
 * `bench/optimizers.ts` compares: only negative momentum comes nearer to the path than Euler.
 */
const OPTIONS = {
  ...SIGMA_OPTIONS,
  sigmaSchedule: "trained",
  learningRate: 1,
  learningRateSchedule: "linear",
} as const satisfies Partial<Settings>;

/** Gradient descent with a heavy ball: averages directions, or, with its default, extrapolates. */
export const momentumRecipe: Recipe = recipeOf({ momentum: -0.5 });

/** Nesterov's momentum. */
export const nesterovRecipe: Recipe = recipeOf({ momentum: 0.3 }, { nesterov: true });

/** Adam: momentum, preconditioned. */
export const adamRecipe: Recipe = recipeOf({
  momentum: -0.5,
  squareMomentum: 0.99,
  adamEpsilon: 10,
});

/** RMSprop: preconditioned, without momentum. */
export const rmsPropRecipe: Recipe = recipeOf({ squareMomentum: 0.99, adamEpsilon: 10 });

function recipeOf(own: Partial<Settings>, { nesterov = false } = {}): Recipe {
  return {
    options: { ...OPTIONS, ...own },
    also: SIGMA_ALSO,
    draft: inSigmaSpace("epsilon", (levels, first, settings) => {
      const { momentum, squareMomentum: decay, adamEpsilon: floor } = settings;
      return optimizer(levels.slice(first), {
        momentum,
        nesterov,
        learningRate: learningRateOf(settings),
        ...("squareMomentum" in own && { precondition: { decay, floor } }),
      });
    }),
  };
}

/** The factor of a step's length by the part of the run that is done. */
function learningRateOf(settings: Settings): OptimizerOptions["learningRate"] {
  const { learningRate: first, learningRateSchedule: schedule } = settings;
  if (schedule === "constant") return () => first;
  if (schedule === "linear") return (done) => first + (1 - first) * done;
  return (done) => 1 + (first - 1) * (1 + Math.cos(Math.PI * done)) / 2;
}
