/**
 * What an experiment found, as data: renderers turn it into a terminal's text, a page, or JSON.
 *
 * @module
 */

import type { Image } from "../pipeline/image.ts";

/** A line or a set of points. */
export interface Series {
  /** Its name in the legend. */
  readonly name: string;
  /** x and y; points with a y that is no number are left out. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** One axis of a plot. */
export interface Axis {
  /** What it counts, with the unit. */
  readonly label: string;
  /** Logarithmic. */
  readonly log?: boolean;
}

/** A picture with what is written under it. */
export interface LabelledPicture {
  /** What it shows. */
  readonly label: string;
  /** The picture. */
  readonly image: Image;
}

/** A part of a report. */
export type Block =
  | { readonly kind: "text"; readonly text: string }
  | {
    readonly kind: "table";
    readonly caption: string;
    readonly columns: readonly string[];
    readonly rows: readonly (readonly (string | number)[])[];
  }
  | {
    readonly kind: "plot";
    readonly caption: string;
    readonly mark?: "line" | "dot" | "bar";
    readonly x: Axis;
    readonly y: Axis;
    readonly series: readonly Series[];
  }
  | {
    readonly kind: "heatmap";
    readonly caption: string;
    readonly rows: readonly string[];
    readonly columns: readonly string[];
    /** One list a row. */
    readonly values: readonly (readonly number[])[];
  }
  | {
    readonly kind: "pictures";
    readonly caption: string;
    readonly pictures: readonly LabelledPicture[];
    /** Pictures a row. Default: as many as fit. */
    readonly columns?: number;
  }
  | {
    /** Pictures of one thing as it changes: a page lets the reader move through them. */
    readonly kind: "frames";
    readonly caption: string;
    readonly frames: readonly LabelledPicture[];
  };

/** Something the report says, checked on the spot. */
export interface Claim {
  /** "Central differences match the analytic gradient to 2e-4." */
  readonly text: string;
  /** Whether it was so in this run. */
  readonly holds: boolean;
  /** What was measured. */
  readonly measured: string;
}

/** A formula with its symbols named, and where this program computes it. */
export interface Formula {
  /** Plain text with Unicode: `x' = x + (x - D) / σ · (σ' - σ)`. */
  readonly text: string;
  /** What each symbol stands for. */
  readonly symbols: Readonly<Record<string, string>>;
  /** File of this program that implements it, from the root: `schedulers/solvers/euler.ts`. */
  readonly file: string;
  /** The function or class there. */
  readonly symbol: string;
  /** Where it is in the file, from 1, where the sources can be read. */
  readonly line?: number;
}

/** Where a formula is computed: "schedulers/guidance.ts:63, classifierFreeGuidance". */
export function placeOf({ file, symbol, line }: Formula): string {
  return `${file}${line === undefined ? "" : `:${line}`}, ${symbol}`;
}

/** What one experiment found. */
export interface Report {
  /** The topic's name on the command line. */
  readonly topic: string;
  /** Heading. */
  readonly title: string;
  /** A paragraph for a newcomer. */
  readonly summary: string;
  /** What was seen, in order. */
  readonly blocks: readonly Block[];
  /** What the report says and has checked. */
  readonly claims: readonly Claim[];
  /** For the second reading. */
  readonly formulas: readonly Formula[];
  /** Papers: author, year, arXiv number. */
  readonly papers: readonly string[];
}

/** A claim that `holds` where `measured` (a number) is at most `limit`. */
export function atMost(text: string, measured: number, limit: number): Claim {
  return {
    text,
    holds: measured <= limit,
    measured: `${short(measured)}, at most ${short(limit)}`,
  };
}

/** A claim that `holds` where `measured` (a number) is at least `limit`. */
export function atLeast(text: string, measured: number, limit: number): Claim {
  const holds = measured >= limit;
  return { text, holds, measured: `${short(measured)}, at least ${short(limit)}` };
}

/** A number in few characters: three significant digits. */
export function short(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e7) return String(value);
  const text = Number(value.toPrecision(3)).toString();
  return text.length <= 8 ? text : value.toExponential(2);
}
