/**
 * The flags of a command as text.
 *
 * @module
 */

import type { Flag, FlagTable } from "./flags.ts";
import { wrap } from "./wrap.ts";

/** What a flag's value is called: `FILE`, `NAME`, `N`; empty for a switch. */
export function valueName({ kind, value, choices, suggests }: Flag): string {
  return kind === "switch" ? "" : value ?? (choices ?? suggests ? "NAME" : "N");
}

/** The flags' part of a command's help: one aligned line a flag. */
export function helpOf(table: FlagTable): string {
  const rows = Object.entries(table).map(([name, flag]) => {
    const value = valueName(flag), short = flag.short ? `-${flag.short}, ` : "    ";
    const also = flag.aliases?.length ? ` (also --${flag.aliases.join(", --")})` : "";
    const choices = flag.choices ? `: ${flag.choices.join(", ")}` : "";
    const left = `  ${short}--${name}${value === "" ? "" : ` ${value}`}`;
    return { left, right: `${flag.help}${choices}${also}` };
  });
  const width = Math.min(34, Math.max(...rows.map(({ left }) => left.length)));
  return rows.map(({ left, right }) => rowOf(left, right, width)).join("\n");
}

/** One help row, its text wrapped within 80 columns. */
function rowOf(left: string, right: string, width: number): string {
  const indent = " ".repeat(width + 2);
  const first = left.length > width ? `${left}\n${indent}` : left.padEnd(width + 2);
  return first + wrap(right, 78 - width).replaceAll("\n", `\n${indent}`);
}
