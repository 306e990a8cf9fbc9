/**
 * Command-line flags as data: one table gives the parser, the help text and the error messages.
 *
 * @module
 */

import { parseArgs } from "node:util";
// That file alone: the library, which has it too, takes a while to load.
import { editDistance } from "../schedulers/edit_distance.ts";

/** A mistake in how the program was called; exits with 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** One flag. Its long name is its key in the table. */
export interface Flag {
  /** What it takes: text, a whole number, a finite number, nothing, or text that may repeat. */
  readonly kind: "text" | "integer" | "number" | "switch" | "list";
  /** One line of help. */
  readonly help: string;
  /** The value's name in the help: `FILE`. */
  readonly value?: string;
  /** One-letter form. */
  readonly short?: string;
  /** Other long names that fingers already know. */
  readonly aliases?: readonly string[];
  /** Least and greatest number. */
  readonly range?: readonly [number, number];
  /** The only texts that are taken. */
  readonly choices?: readonly string[];
  /** Texts that a shell offers, though others are taken, too. */
  readonly suggests?: readonly string[];
}

/** A table of flags, by long name without the dashes. */
export type FlagTable = Readonly<Record<string, Flag>>;

/**
 * Flags that many commands have. A table takes them from here, not as copies: the manual page of the
 * whole program explains each flag once, and knows it by its identity.
 */
export const COMMON_FLAGS = {
  quiet: { kind: "switch", short: "q", help: "no messages" },
  verbose: { kind: "switch", short: "v", help: "where an error comes from" },
  help: { kind: "switch", short: "h", help: "this text" },
} as const satisfies FlagTable;

/** The type that a parsed flag has. */
type FlagValue<F extends Flag> = F["kind"] extends "switch" ? boolean
  : F["kind"] extends "list" ? TextOf<F>[]
  : F["kind"] extends "integer" ? bigint
  : F["kind"] extends "number" ? number
  : TextOf<F>;

type TextOf<F extends Flag> = F["choices"] extends readonly (infer C)[] ? C : string;

/** Parsed flags: absent ones are absent. */
export type FlagValues<T extends FlagTable> = { readonly [K in keyof T]?: FlagValue<T[K]> };

/** What {@linkcode parseFlags} returns. */
export interface Parsed<T extends FlagTable> {
  readonly flags: FlagValues<T>;
  readonly positionals: readonly string[];
}

/** Parses `args` by `table`. @throws {UsageError} on unknown flags and unusable values. */
export function parseFlags<const T extends FlagTable>(
  table: T,
  args: readonly string[],
): Parsed<T> {
  const long = longNames(table);
  const options: Record<string, { type: "string" | "boolean"; short?: string; multiple: true }> =
    {};
  for (const [name, key] of long) {
    const flag = table[key]!;
    const type = flag.kind === "switch" ? "boolean" : "string";
    const short = name === key && flag.short ? { short: flag.short } : {};
    options[name] = { type, ...short, multiple: true };
  }
  const { tokens, positionals } = parseArgs({
    args: joinNegativeNumbers(args, table, long),
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const flags: Record<string, unknown> = {};
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    const key = long.get(token.name);
    if (key === undefined) throw unknownFlag(token.rawName, [...long.keys()]);
    const flag = table[key]!;
    const value = readValue(flag, token.rawName, token.value);
    if (flag.kind === "list") {
      (flags[key] as unknown[] | undefined ?? (flags[key] = [])).push(value);
    } else flags[key] = value;
  }
  return { flags: flags as FlagValues<T>, positionals };
}

/** Every spelling of every flag, to its key. */
function longNames(table: FlagTable): Map<string, string> {
  const names = new Map<string, string>();
  for (const [key, flag] of Object.entries(table)) {
    for (const name of [key, ...(flag.aliases ?? [])]) names.set(name, key);
  }
  return names;
}

/** `--eta -1` to `--eta=-1`: parseArgs would otherwise take the number for another flag. */
function joinNegativeNumbers(
  args: readonly string[],
  table: FlagTable,
  long: ReadonlyMap<string, string>,
): string[] {
  const joined: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!, next = args[i + 1];
    if (arg === "--") return [...joined, ...args.slice(i)];
    const key = arg.startsWith("--")
      ? long.get(arg.slice(2))
      : Object.keys(table).find((k) => arg === `-${table[k]!.short}`);
    const takesValue = key !== undefined && table[key]!.kind !== "switch";
    if (takesValue && next !== undefined && /^-(\d|\.\d|inf|nan)/i.test(next)) {
      joined.push(`--${key}=${next}`);
      i++;
    } else {
      joined.push(arg);
    }
  }
  return joined;
}

/** What a flag names on the disk, as its value's name tells; `PATH` and `MODEL` may be folders, too. */
export function pathKind({ value = "" }: Flag): "file" | "folder" | undefined {
  if (value === "DIR") return "folder";
  return /^(FILE|PATH|MODEL)/.test(value) ? "file" : undefined;
}

/** Reads one value by its flag's kind. */
function readValue(flag: Flag, name: string, text: string | undefined): unknown {
  if (flag.kind === "switch") {
    if (text !== undefined) throw new UsageError(`${name} takes no value; got ${quote(text)}.`);
    return true;
  }
  if (text === undefined) {
    throw new UsageError(`${name} needs a value${flag.value ? ` ${flag.value}` : ""}.`);
  }
  if (text === "" && pathKind(flag) !== undefined) {
    throw new UsageError(`${name} needs a value ${flag.value}; got "".`);
  }
  if (flag.kind === "integer") return readInteger(flag, name, text);
  if (flag.kind === "number") return readNumber(flag, name, text);
  if (flag.choices && !flag.choices.includes(text)) {
    throw new UsageError(`${name} takes ${flag.choices.join(", ")}; got ${quote(text)}.`);
  }
  return text;
}

/** The whole number that `text` gives the flag, which was called `name`. @throws {UsageError} */
export function readInteger(flag: Flag, name: string, text: string): bigint {
  if (!/^[+-]?\d{1,20}$/.test(text)) {
    throw new UsageError(`${name} takes a whole number; got ${quote(text)}.`);
  }
  const value = BigInt(text);
  if (value < -(2n ** 63n) || value >= 2n ** 64n) {
    throw new UsageError(`${name} takes a whole number of 64 bits; got ${text}.`);
  }
  checkRange(flag, name, Number(value), text);
  return value;
}

/** As {@linkcode readInteger}, for any finite number. @throws {UsageError} */
export function readNumber(flag: Flag, name: string, text: string): number {
  const value = text.trim() === "" ? NaN : Number(text);
  if (!Number.isFinite(value)) throw new UsageError(`${name} takes a number; got ${quote(text)}.`);
  checkRange(flag, name, value, text);
  return value;
}

function checkRange(flag: Flag, name: string, value: number, text: string): void {
  if (!flag.range) return;
  const [low, high] = flag.range;
  if (value >= low && value <= high) return;
  const range = high === Infinity ? `at least ${low}` : `${low} to ${high}`;
  throw new UsageError(`${name} takes ${range}; got ${text}.`);
}

function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text);
}

/** An error that names the closest known flags. */
function unknownFlag(rawName: string, known: readonly string[]): UsageError {
  const hint = didYouMean(rawName.replace(/^-+/, ""), known, "--");
  return new UsageError(`Unknown flag ${rawName}.${hint}`);
}

/** An error that names the closest known commands. */
export function unknownCommand(name: string, known: readonly string[]): UsageError {
  const what = name.startsWith("-") ? "flag" : "command", hint = didYouMean(name, known);
  return new UsageError(`Unknown ${what} ${JSON.stringify(name)}.${hint} See latent --help.`);
}

/** ` Did you mean --a or --b?`, of what is `known`; empty where nothing is close. */
export function didYouMean(word: string, known: readonly string[], dashes = ""): string {
  const near = nearest(word, known).map((name) => `${dashes}${name}`);
  return near.length > 0 ? ` Did you mean ${near.join(" or ")}?` : "";
}

/** Up to two of `known` within a third of `word`'s length in edits, or that begin with it. */
function nearest(word: string, known: readonly string[]): string[] {
  return known
    .map((name) => ({ name, edits: name.startsWith(word) ? 0 : editDistance(word, name) }))
    .filter(({ edits }) => word.length > 1 && edits <= Math.max(1, Math.floor(word.length / 3)))
    .sort((a, b) => a.edits - b.edits)
    .slice(0, 2)
    .map(({ name }) => name);
}

/** A whole number as numbers are elsewhere. */
export function whole(value: bigint | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}

/** Without what is absent: an absent option must stay absent. */
export function defined<T extends object>(
  options: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
