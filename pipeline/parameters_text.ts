/**
 * The text that AUTOMATIC1111's web UI writes into its pictures, which most other tools read.
 *
 * @module
 */

import { basename } from "node:path";
import type { Settings as SchedulerSettings } from "../schedulers/settings.ts";
import type { SigmaSchedule } from "../schedulers/sigmas.ts";
import { schedulerName } from "./choose_scheduler.ts";
import type { PictureFacts } from "./metadata_record.ts";
import { REFINER_START } from "./refine.ts";
import type { Settings } from "./settings.ts";

/** What A1111 calls the schedulers; others keep their names here. */
const SAMPLERS: Readonly<Record<string, string>> = {
  DDIMScheduler: "DDIM",
  DPMAdaptive: "DPM adaptive",
  DPMFast: "DPM fast",
  DPMPP2SAncestral: "DPM++ 2S a",
  DPMPP3MSDE: "DPM++ 3M SDE",
  DPMSolverSDEScheduler: "DPM++ SDE",
  EulerAncestralDiscreteScheduler: "Euler a",
  EulerDiscreteScheduler: "Euler",
  HeunDiscreteScheduler: "Heun",
  KDPM2AncestralDiscreteScheduler: "DPM2 a",
  KDPM2DiscreteScheduler: "DPM2",
  LCMScheduler: "LCM",
  LMSDiscreteScheduler: "LMS",
  PNDMScheduler: "PLMS",
  Restart: "Restart",
  UniPCMultistepScheduler: "UniPC",
};

/** What A1111 calls the sigma schedules; its "Automatic" would take one for each sampler. */
const SCHEDULES: Readonly<Partial<Record<SigmaSchedule, string>>> = {
  trained: "Uniform",
  karras: "Karras",
  exponential: "Exponential",
  polyexponential: "Polyexponential",
  beta: "Beta",
  simple: "Simple",
  sgm_uniform: "SGM Uniform",
  kl_optimal: "KL Optimal",
  ays: "Align Your Steps",
};

const GENERATORS = { cpu: "CPU", cuda: "GPU", numpy: "NumPy" } as const;

/**
 * `prompt`, `Negative prompt: ...` and one line of settings (the PNG keyword is `parameters`).
 *
 * Values that hold a comma, a colon or a line end are quoted as JSON, as A1111 does. `model` is the
 * path of the model, or all that is known of the run.
 */
export function parametersText(settings: Settings, model: string | PictureFacts): string {
  const facts: PictureFacts = typeof model === "string" ? { model: { path: model } } : model;
  const scheduler = facts.scheduler ??
    { name: schedulerName(settings.scheduler), settings: settings.schedulerOptions };
  const fields: Record<string, string | number | bigint | undefined> = {
    Steps: settings.steps,
    Sampler: samplerLabel(scheduler.name, scheduler.settings),
    "Schedule type": scheduleLabel(scheduler.settings.sigmaSchedule),
    "CFG scale": settings.guidanceScale,
    Seed: settings.seed,
    Size: `${settings.width}x${settings.height}`,
    "Model hash": facts.model.weights?.[0]?.sha256.slice(0, 10),
    Model: modelName(facts.model.path),
    "Denoising strength": settings.image &&
      (settings.strength ?? (settings.mask || settings.extend ? 1 : 0.8)),
    "Clip skip": settings.clipSkip > 0 ? settings.clipSkip + 1 : undefined,
    Refiner: facts.model.refiner && modelName(facts.model.refiner),
    "Refiner switch at": facts.model.refiner && (settings.refinerStart ?? REFINER_START),
    "CFG rescale": settings.guidanceRescale || undefined,
    Eta: settings.schedulerOptions.eta,
    ENSD: settings.ensd || undefined,
    RNG: GENERATORS[settings.rng ?? "cpu"],
    Version: ["latent", facts.versions?.latent].filter(Boolean).join(" "),
  };
  const line = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}: ${quoted(String(value))}`)
    .join(", ");
  const negative = settings.negativePrompt ? `\nNegative prompt: ${settings.negativePrompt}` : "";
  return `${settings.prompt}${negative}\n${line}`;
}

const modelName = (path: string) => basename(path).replace(/\.(safetensors|ckpt|pt|bin)$/, "");

function samplerLabel(name: string, settings: Partial<SchedulerSettings>): string {
  if (name !== "DPMSolverMultistepScheduler") {
    return SAMPLERS[name] ?? name.replace(/(Discrete)?Scheduler$/, "");
  }
  const { solverOrder = 2, algorithmType = "dpmsolver++", solverType = "midpoint" } = settings;
  const noise = algorithmType === "sde-dpmsolver++" ? " SDE" : "";
  return `DPM++ ${solverOrder}M${noise}${noise && solverType === "heun" ? " Heun" : ""}`;
}

function scheduleLabel(schedule: SigmaSchedule | undefined): string | undefined {
  return schedule && (SCHEDULES[schedule] ?? schedule);
}

function quoted(value: string): string {
  return /[,:\n]/.test(value) ? JSON.stringify(value) : value;
}
