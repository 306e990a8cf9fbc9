/**
 * What an experiment is and what it may use.
 *
 * @module
 */

import type { ModelParts } from "../pipeline/model_parts.ts";
import type { SessionBuilder } from "../pipeline/session_builder.ts";
import type { StableDiffusion } from "../pipeline/stable_diffusion.ts";
import type { Report } from "./report.ts";

/** What an experiment runs on. */
export interface Laboratory {
  /** The model as a pipeline. */
  readonly sd: StableDiffusion;
  /** Its parts, for experiments that look inside. */
  readonly parts: ModelParts;
  /** Makes sessions of graphs. */
  readonly builder: SessionBuilder;
  /** True for the embedded model, whose prompts are digits in colours. */
  readonly isEmbedded: boolean;
  /** What to draw. */
  readonly prompt: string;
  readonly seed: number | bigint;
  /** The argument after the topic, such as a file. */
  readonly subject?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** What the reader must know beside the report: topics add to it. */
  readonly notes: string[];
  /** Says what is going on. */
  readonly progress: (what: string) => void;
}

/** One topic of `latent explain`. */
export interface Topic {
  /** Runs the experiment: seconds, on two cores and the embedded model. */
  readonly run: (laboratory: Laboratory) => Promise<Report>;
}
