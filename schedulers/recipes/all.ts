import { lcmRecipe, tcdRecipe } from "./consistency.ts";
import { ddimRecipe } from "./ddim.ts";
import { ddpmRecipe } from "./ddpm.ts";
import { edmDpmMultistepRecipe, edmEulerRecipe } from "./edm.ts";
import { flowEulerRecipe, flowHeunRecipe } from "./flow.ts";
import { ipndmRecipe } from "./ipndm.ts";
import { deisRecipe, dpmMultistepRecipe, dpmSinglestepRecipe, uniPcRecipe } from "./log_snr.ts";
import { dpmSdeRecipe, kdpm2AncestralRecipe, kdpm2Recipe } from "./middle_steps.ts";
import { pndmRecipe } from "./pndm.ts";
import type { Recipe } from "./recipe.ts";
import { eulerAncestralRecipe, eulerRecipe, heunRecipe, lmsRecipe } from "./sigma_space.ts";

/** Every scheduler of diffusers by its class name. */
export const RECIPES = {
  DDIMScheduler: ddimRecipe,
  DDPMScheduler: ddpmRecipe,
  DEISMultistepScheduler: deisRecipe,
  DPMSolverMultistepScheduler: dpmMultistepRecipe,
  DPMSolverSDEScheduler: dpmSdeRecipe,
  DPMSolverSinglestepScheduler: dpmSinglestepRecipe,
  EDMDPMSolverMultistepScheduler: edmDpmMultistepRecipe,
  EDMEulerScheduler: edmEulerRecipe,
  EulerAncestralDiscreteScheduler: eulerAncestralRecipe,
  EulerDiscreteScheduler: eulerRecipe,
  FlowMatchEulerDiscreteScheduler: flowEulerRecipe,
  FlowMatchHeunDiscreteScheduler: flowHeunRecipe,
  HeunDiscreteScheduler: heunRecipe,
  IPNDMScheduler: ipndmRecipe,
  KDPM2AncestralDiscreteScheduler: kdpm2AncestralRecipe,
  KDPM2DiscreteScheduler: kdpm2Recipe,
  LCMScheduler: lcmRecipe,
  LMSDiscreteScheduler: lmsRecipe,
  PNDMScheduler: pndmRecipe,
  TCDScheduler: tcdRecipe,
  UniPCMultistepScheduler: uniPcRecipe,
} as const satisfies Record<string, Recipe>;

/** The class names that this library knows. */
export type SchedulerName = keyof typeof RECIPES;
