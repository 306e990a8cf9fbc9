/**
 * Where the time of a case of `latent bench` goes, as tables.
 *
 * @module
 */

import type { BenchmarkResult, OperatorProfile } from "../mod.ts";

/** Operators of less than this part of a network's time are one line. */
const LEAST_SHARE = 0.005;

const HEAD = ["nodes", "ms", "%", "GFLOP", "GFLOP/s"];

/** A table for each network, the longest operators first. */
export function profileTables({ name, profile = [] }: BenchmarkResult): string[] {
  return profile.map(({ network, runs, ms, operators }) => {
    const listed = operators.filter(({ share }) => share >= LEAST_SHARE);
    const rest = operators.slice(listed.length);
    const others = rest.length > 0 ? [sumOf(rest)] : [];
    const rows = [HEAD, ...[...listed, ...others].map(cells)];
    const titles = [
      network,
      ...listed.map(({ operator }) => operator),
      ...others.map(() => "others"),
    ];
    const widths = HEAD.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
    const left = Math.max(...titles.map((title) => title.length));
    const lines = rows.map((row, i) =>
      [titles[i]!.padEnd(left), ...row.map((cell, j) => cell.padStart(widths[j]!))].join(" ")
    );
    const about = `${name}: ${ms.toFixed(1)} ms, each node at its quickest of ${runs} runs`;
    return [about, ...lines].join("\n");
  });
}

function cells({ nodes, ms, share, gflop }: Omit<OperatorProfile, "operator">): string[] {
  const speed = gflop === undefined ? "" : (gflop / ms * 1000).toFixed(0);
  return [`${nodes}`, ms.toFixed(1), (100 * share).toFixed(1), gflop?.toFixed(1) ?? "", speed];
}

function sumOf(all: readonly OperatorProfile[]): Omit<OperatorProfile, "operator"> {
  const sum = (of: (one: OperatorProfile) => number) => all.reduce((a, one) => a + of(one), 0);
  return { nodes: sum(({ nodes }) => nodes), ms: sum(({ ms }) => ms), share: sum((x) => x.share) };
}
