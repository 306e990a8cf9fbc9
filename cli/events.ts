/**
 * What a run tells programs: one JSON object a line, `{"v":1,"event":...,"elapsed":...}`.
 *
 * Version 1. New events and new fields may come within a version; `v` rises when a field goes or
 * changes its meaning. Times are seconds. `elapsed` counts from the start of the run. Whole numbers
 * beyond 2^53, such as seeds of 64 bits, are texts.
 *
 * @module
 */

import type { Unit } from "./progress_bar.ts";
import { writeLine } from "./standard_output.ts";

/** The first event of every run. */
export interface StartEvent {
  readonly event: "start";
  readonly command: string;
  /** As given; absent for the embedded model. */
  readonly model?: string;
  /** How many pictures, where it is known. */
  readonly pictures?: number;
}

/** What the run does now, such as "opening the model". */
export interface StageEvent {
  readonly event: "stage";
  readonly name: string;
  readonly picture?: number;
}

/** How far a work of known length is, such as a download; four times a second at most. */
export interface ProgressEvent {
  readonly event: "progress";
  readonly name: string;
  readonly done: number;
  readonly total: number;
  /** What is counted. */
  readonly unit: Unit;
}

/** Something that the picture is drawn in spite of, such as a prompt that was cut off. */
export interface WarningEvent {
  readonly event: "warning";
  readonly message: string;
}

/** One call of the U-Net has been made. */
export interface StepEvent {
  readonly event: "step";
  /** 0, 1, ... within the run. */
  readonly picture: number;
  /** 1 to `steps`. */
  readonly step: number;
  readonly steps: number;
  readonly timestep: number;
  readonly sigma: number;
  /** How long the call took, for all of a batch, with all that comes before it for a first one. */
  readonly seconds: number;
}

/** How the picture looks by now, with `--preview`: coarse, where decoding it would take long. */
export interface PreviewEvent {
  readonly event: "preview";
  readonly picture: number;
  readonly step: number;
  readonly width: number;
  readonly height: number;
  /** A PNG file in base64. */
  readonly png: string;
}

/** A picture is written. */
export interface ImageEvent {
  readonly event: "image";
  readonly picture: number;
  /** Where; "-" is standard output. A picture that is on a sheet alone has the sheet's path. */
  readonly path: string;
  readonly seed: number | bigint;
  readonly prompt: string;
  readonly width: number;
  readonly height: number;
  /** How long it took; of a batch, its share. */
  readonly seconds: number;
  /** The line of the prompts that asked for it, from 1. */
  readonly line?: number;
  /** Where a frame lies on its walk, 0 to 1. */
  readonly t?: number;
  /** True where it was there from an earlier run. */
  readonly kept?: boolean;
}

/** The sheet of `--grid` is written. */
export interface SheetEvent {
  readonly event: "sheet";
  readonly path: string;
  /** How many pictures it has. */
  readonly pictures: number;
}

/** Something failed: one line of the prompts, after which the run goes on, or the run. */
export interface ErrorEvent {
  readonly event: "error";
  readonly message: string;
  /** The class of the error. */
  readonly kind: string;
  /** The line of the prompts, from 1; absent where the whole run failed. */
  readonly line?: number;
}

/** The last event of every run but of those killed, and of those whose reader has gone. */
export interface DoneEvent {
  readonly event: "done";
  /** Pictures written. */
  readonly pictures: number;
  /** Lines that failed. */
  readonly failed: number;
  /** The exit status. */
  readonly exit: number;
}

/** Any event. */
export type RunEvent =
  | StartEvent
  | StageEvent
  | ProgressEvent
  | WarningEvent
  | StepEvent
  | PreviewEvent
  | ImageEvent
  | SheetEvent
  | ErrorEvent
  | DoneEvent;

/** The version of the events. */
export const EVENTS_VERSION = 1;

/** Writes events; `elapsed` counts from this call. */
export function eventWriter(to: "standard output" | "standard error"): (event: RunEvent) => void {
  const began = performance.now();
  return ({ event, ...fields }) => {
    const elapsed = milliseconds((performance.now() - began) / 1000);
    writeLine(to, JSON.stringify({ v: EVENTS_VERSION, event, elapsed, ...fields }, plain));
  };
}

/** Seconds without the digits that no clock has. */
export function milliseconds(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}

function plain(_key: string, value: unknown): unknown {
  if (typeof value !== "bigint") return value;
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
}
