/**
 * The text that AUTOMATIC1111's web UI writes into its pictures, which most other tools read.
 *
 * @module
 */

import { basename } from "node:path";
import type { Settings } from "./stable_diffusion.ts";

/**
 * `prompt`, `Negative prompt: ...` and one line of settings (the PNG keyword is `parameters`).
 * Values that hold a comma, a colon or a line end are quoted as JSON, as A1111 does.
 */
export function parametersText(settings: Settings, model: string): string {
  const { schedulerOptions: scheduler } = settings;
  const fields: Record<string, string | number | bigint | undefined> = {
    Steps: settings.steps,
    Sampler: settings.scheduler,
    "Schedule type": scheduler.sigmaSchedule,
    "CFG scale": settings.guidanceScale,
    "CFG rescale": settings.guidanceRescale || undefined,
    Seed: settings.seed,
    Size: `${settings.width}x${settings.height}`,
    Model: basename(model),
    "Clip skip": settings.clipSkip ? settings.clipSkip + 1 : undefined,
    Eta: scheduler.eta,
    RNG: "CPU",
    Version: "latent",
  };
  const line = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}: ${quoted(String(value))}`)
    .join(", ");
  const negative = settings.negativePrompt ? `\nNegative prompt: ${settings.negativePrompt}` : "";
  return `${settings.prompt}${negative}\n${line}`;
}

function quoted(value: string): string {
  return /[,:\n]/.test(value) ? JSON.stringify(value) : value;
}
