import { ddimRecipe } from "./ddim.ts";
import { dpmMultistepRecipe } from "./log_snr.ts";
import { pndmRecipe } from "./pndm.ts";
import type { Recipe } from "./recipe.ts";
import { eulerAncestralRecipe, eulerRecipe } from "./sigma_space.ts";

/** Every scheduler by diffusers' class name. */
export const RECIPES = {
  DDIMScheduler: ddimRecipe,
  PNDMScheduler: pndmRecipe,
  EulerDiscreteScheduler: eulerRecipe,
  EulerAncestralDiscreteScheduler: eulerAncestralRecipe,
  DPMSolverMultistepScheduler: dpmMultistepRecipe,
} as const satisfies Record<string, Recipe>;

/** The class names that this library knows. */
export type SchedulerName = keyof typeof RECIPES;
