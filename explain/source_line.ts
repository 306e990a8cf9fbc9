/**
 * Where in the sources a thing is defined.
 *
 * @module
 */

import type { Report } from "./report.ts";

/** The report with the line of each formula's symbol, where the sources can be read. */
export async function withLines(report: Report): Promise<Report> {
  const formulas = await Promise.all(report.formulas.map(async (formula) => {
    const line = await sourceLine(formula.file, formula.symbol);
    return line === undefined ? formula : { ...formula, line };
  }));
  return { ...report, formulas };
}

/**
 * The line, from 1, on which `symbol` is defined in a file of this program; undefined where the
 * sources are not at hand: in a compiled program, or without the permission to read them.
 */
export async function sourceLine(file: string, symbol: string): Promise<number | undefined> {
  const definition = new RegExp(`^(export )?(async )?(function\\*?|const|class) ${symbol}\\b`);
  let text: string;
  try {
    // A program that runs from the network has its sources in Deno's cache, not here.
    text = await Deno.readTextFile(new URL(`../${file}`, import.meta.url));
  } catch {
    return undefined;
  }
  const index = text.split("\n").findIndex((line) => definition.test(line));
  return index < 0 ? undefined : index + 1;
}
