/**
 * `--plot-x` and `--plot-y`: one picture for every pair of values of two flags.
 *
 * @module
 */

import { UsageError } from "./flags.ts";
import { type LineFlags, lineFlags } from "./prompt_line.ts";

/** A flag and the values that it takes along one side of a plot. */
export interface Axis {
  readonly name: string;
  readonly values: readonly string[];
}

/** A plot of one or two axes. */
export interface Plot {
  readonly x?: Axis | undefined;
  readonly y?: Axis | undefined;
}

/**
 * Reads `steps=10,20,30`. Values that hold commas are kept apart by semicolons:
 * `prompt=a fox, red;a fox, blue`.
 *
 * @throws {UsageError} for what is no flag with values.
 */
export function axisOf(flag: string, text: string): Axis {
  const at = text.indexOf("="), name = text.slice(0, Math.max(at, 0)).trim();
  const list = text.slice(at + 1), separator = list.includes(";") ? ";" : ",";
  const values = list.split(separator).map((value) => value.trim()).filter((value) => value !== "");
  if (name === "" || values.length === 0) {
    throw new UsageError(
      `${flag} takes a flag and its values, as in "steps=10,20,30"; got ${JSON.stringify(text)}.`,
    );
  }
  if (name === "output" || name === "count") throw new UsageError(`${flag} cannot vary ${name}.`);
  return { name, values };
}

/** The plot of `--plot-x` and `--plot-y`; undefined without either. */
export function plotOf(
  flags: { readonly "plot-x"?: string; readonly "plot-y"?: string },
): Plot | undefined {
  const { "plot-x": x, "plot-y": y } = flags;
  if (x === undefined && y === undefined) return undefined;
  return {
    x: x === undefined ? undefined : axisOf("--plot-x", x),
    y: y === undefined ? undefined : axisOf("--plot-y", y),
  };
}

/** The flags of every picture of a plot, row by row. @throws {UsageError} for unusable values. */
export function plotLines({ x, y }: Plot): LineFlags[] {
  const pairs = (axis: Axis | undefined) =>
    axis ? axis.values.map((value) => [[axis.name, valueOf(value)] as const]) : [[]];
  return pairs(y).flatMap((row) => pairs(x).map((column) => lineFlags([...column, ...row])));
}

/** `true` and `false` are for switches: `karras=false,true`. */
function valueOf(text: string): unknown {
  return text === "true" ? true : text === "false" ? false : text;
}

/** What is written beside an axis. */
export function labelsOf(axis: Axis | undefined): string[] {
  return axis?.values.map((value) => axis.name === "prompt" ? value : `${axis.name} ${value}`) ??
    [];
}
