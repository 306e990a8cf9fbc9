/**
 * What `latent bench` found: as JSON, as a table, and beside an earlier run.
 *
 * @module
 */

import type { Benchmark, BenchmarkResult } from "../mod.ts";
import type { MachineReport } from "./doctor_machine.ts";

/** All of one run. */
export interface BenchReport extends Omit<Benchmark, "onnxruntime"> {
  /** Of this form of report. */
  readonly format: 1;
  /** ISO 8601. */
  readonly date: string;
  /** What `--model` named, or `embedded`. */
  readonly model: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly machine: MachineReport;
}

/** A case now beside the one of the same name before: above 1 is slower. */
export interface Compared {
  readonly name: string;
  /** Of the calls, in units of the product of matrices of their own run. */
  readonly step: number;
  readonly decode: number;
  /** Of memory. */
  readonly own?: number;
}

/** Reads an earlier run's `--json`. @throws {Error} that says why it is none. */
export async function readReport(path: string): Promise<BenchReport> {
  const fail = (why: string, cause?: unknown) =>
    new Error(`Cannot compare with ${path}: ${why}. Make it with latent bench --json.`, { cause });
  let report: Partial<BenchReport>;
  try {
    report = JSON.parse(await Deno.readTextFile(path));
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) throw fail("there is no such file", cause);
    if (cause instanceof SyntaxError) throw fail("it is no JSON", cause);
    throw cause;
  }
  if (report?.format !== 1 || !Array.isArray(report.cases)) throw fail("it is no such report");
  return report as BenchReport;
}

/** The ratios to an earlier run, of the cases that both have. */
export function comparison(now: BenchReport, before: BenchReport): Compared[] {
  return now.cases.flatMap((one) => {
    const old = before.cases.find(({ name }) => name === one.name);
    if (!old) return [];
    const step = one.stepProducts / old.stepProducts;
    const decode = one.decodeProducts / old.decodeProducts;
    const own = one.ownBytes && old.ownBytes && one.ownBytes / old.ownBytes;
    return [{ name: one.name, step, decode, ...(own && { own }) }];
  });
}

/** A column: its head in two rows, and what stands in it. */
type Column = readonly [
  head: string,
  unit: string,
  cell: (one: BenchmarkResult) => string | undefined,
];

/** The table, within 80 columns for names of up to 20 characters. */
export function benchTable(
  { cases, product }: BenchReport,
  compared: readonly Compared[] | undefined,
): string {
  const ratio = (name: string, of: "step" | "decode") =>
    compared?.find((each) => each.name === name)?.[of]?.toFixed(2);
  const columns: readonly Column[] = [
    ["ready", "s", ({ readyMs }) => (readyMs / 1000).toFixed(2)],
    ["step", "ms", ({ stepMs }) => short(stepMs.min)],
    ["median", "ms", ({ stepMs }) => short(stepMs.median)],
    ["cpu", "ms", ({ stepProcessorMs }) => short(stepProcessorMs.min)],
    ["decode", "ms", ({ decodeMs }) => short(decodeMs.min)],
    ["own", "MB", ({ ownBytes }) => megabytes(ownBytes)],
    ["peak", "MB", ({ peakBytes }) => megabytes(peakBytes)],
    ...(compared
      ? [
        ["step", "ratio", ({ name }) => ratio(name, "step")],
        ["dec.", "ratio", ({ name }) => ratio(name, "decode")],
      ] satisfies Column[]
      : [
        ["step", "prod.", ({ stepProducts }) => short(stepProducts)],
        ["dec.", "prod.", ({ decodeProducts }) => short(decodeProducts)],
      ] satisfies Column[]),
  ];
  const rows = [
    ["", ...columns.map(([head]) => head)],
    ["", ...columns.map(([, unit]) => unit)],
    ...cases.map((one) => [one.name, ...columns.map(([, , cell]) => cell(one) ?? "")]),
  ];
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  const lines = rows.map((row) =>
    row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join(" ")
  );
  const unit = `prod.: in units of a ${product.side} x ${product.side} product of matrices, ` +
    `${product.min.toFixed(1)} ms here`;
  const ratios = "ratio: to the earlier run, each in units of its own product of matrices";
  return [...lines, "", compared ? ratios : unit].join("\n");
}

/** Three digits, or all before the point. */
function short(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

function megabytes(bytes: number | undefined): string | undefined {
  return bytes === undefined ? undefined : (bytes / 1e6).toFixed(0);
}
