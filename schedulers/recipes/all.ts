import {
  dpmpp2mV2Recipe,
  gradientEstimationRecipe,
  heunPp2Recipe,
  ipndmVRecipe,
} from "./community.ts";
import { lcmRecipe, tcdRecipe } from "./consistency.ts";
import { ddimRecipe } from "./ddim.ts";
import { ddpmRecipe } from "./ddpm.ts";
import { deisRecipe } from "./deis.ts";
import { dpmMultistepRecipe, dpmSinglestepRecipe } from "./dpm_solver.ts";
import { edmDpmMultistepRecipe, edmEulerRecipe } from "./edm.ts";
import { flowEulerRecipe, flowHeunRecipe } from "./flow.ts";
import { ipndmRecipe } from "./ipndm.ts";
import {
  dpmAdaptiveRecipe,
  dpmFastRecipe,
  dpmpp2sAncestralRecipe,
  dpmpp3mSdeRecipe,
  ipndmSigmaRecipe,
  restartRecipe,
} from "./k_diffusion.ts";
import { dpmSdeRecipe, kdpm2AncestralRecipe, kdpm2Recipe } from "./middle_steps.ts";
import { adamRecipe, momentumRecipe, nesterovRecipe, rmsPropRecipe } from "./optimizers.ts";
import { pndmRecipe } from "./pndm.ts";
import type { Recipe } from "./recipe.ts";
import { uniPcRecipe } from "./unipc.ts";
import { eulerAncestralRecipe, eulerRecipe, heunRecipe, lmsRecipe } from "./sigma_space.ts";

/** Every scheduler: diffusers' by class name, then others by names of the same style. */
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
  // k-diffusion's and A1111's, which diffusers lacks.
  DPMAdaptive: dpmAdaptiveRecipe,
  DPMFast: dpmFastRecipe,
  DPMPP2SAncestral: dpmpp2sAncestralRecipe,
  DPMPP3MSDE: dpmpp3mSdeRecipe,
  IPNDMSigma: ipndmSigmaRecipe,
  Restart: restartRecipe,
  // ComfyUI's and stable-diffusion.cpp's.
  DPMPP2MV2: dpmpp2mV2Recipe,
  GradientEstimation: gradientEstimationRecipe,
  HeunPP2: heunPp2Recipe,
  IPNDMV: ipndmVRecipe,
  // Optimizers' updates as samplers.
  Adam: adamRecipe,
  Momentum: momentumRecipe,
  Nesterov: nesterovRecipe,
  RMSprop: rmsPropRecipe,
} as const satisfies Record<string, Recipe>;

/** The class names that this library knows. */
export type SchedulerName = keyof typeof RECIPES;
