/**
 * One line of the prompts: a prompt, or a JSON object with any option of a picture.
 *
 * @module
 */

import { parseFlags, UsageError } from "./flags.ts";
import { GENERATE_FLAGS, type GenerateFlags } from "./generate_flags.ts";
import { isRunFlag, type RunFlag } from "./run_flags.ts";

/** Flags that each picture of a run may have for itself. */
export const LINE_FLAGS = Object.fromEntries(
  Object.entries(GENERATE_FLAGS).filter(([name]) => !isRunFlag(name)),
) as Omit<typeof GENERATE_FLAGS, RunFlag>;

/** The flags that a line gives; `undefined` where it asks for the default. */
export type LineFlags = {
  readonly [K in Exclude<keyof GenerateFlags, RunFlag>]?: GenerateFlags[K] | undefined;
};

/**
 * Reads a line. One that begins like a JSON object is one; its keys are flags in any spelling:
 * `guidance-scale`, `guidanceScale`, `guidance_scale`, `cfgScale`. `null` asks for the default.
 *
 * @throws {UsageError} for what is no option of a picture, or no value of it.
 */
export function readPromptLine(text: string): LineFlags {
  if (!/^\s*\{\s*["}]/.test(text)) return { prompt: text.trim() };
  const options: unknown = parseJson(text);
  return lineFlags(Object.entries(options as Record<string, unknown>));
}

/** Flags from names and values, checked as on the command line. @throws {UsageError} */
export function lineFlags(options: Iterable<readonly [name: string, value: unknown]>): LineFlags {
  const args: string[] = [], reset: Record<string, false | undefined> = {};
  for (const [name, value] of options) {
    const key = keyOf(name);
    if (value === null) reset[key] = undefined;
    else if (value === false && flagOf(key)?.kind === "switch") reset[key] = false;
    else args.push(...argumentsOf(key, value));
  }
  return { ...parseFlags(LINE_FLAGS, args).flags, ...reset };
}

/** A flag's long name, whatever spelling and alias it was given in. */
function keyOf(name: string): string {
  const kebab = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
    .replaceAll("_", "-");
  if (isRunFlag(kebab)) {
    throw new UsageError(`${name} is for the whole run: give --${kebab} on the command line.`);
  }
  const entry = Object.entries(LINE_FLAGS).find(([, flag]) =>
    "aliases" in flag && (flag.aliases as readonly string[]).includes(kebab)
  );
  return entry?.[0] ?? kebab;
}

function flagOf(key: string): { readonly kind: string } | undefined {
  return Object.hasOwn(LINE_FLAGS, key) ? LINE_FLAGS[key as keyof typeof LINE_FLAGS] : undefined;
}

function argumentsOf(key: string, value: unknown): string[] {
  const isList = flagOf(key)?.kind === "list";
  if (Array.isArray(value)) {
    if (isList) return value.flatMap((item) => argumentsOf(key, item));
    return [`--${key}=${value.join(",")}`];
  }
  if (value === true && flagOf(key)?.kind === "switch") return [`--${key}`];
  if (typeof value === "object") throw new UsageError(`${key} takes no object.`);
  return [`--${key}=${value}`];
}

/** `JSON.parse`, with whole numbers beyond 2^53 kept exact as their text. */
function parseJson(text: string): unknown {
  const exact = (_: string, value: unknown, context?: { source?: string }) =>
    typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)
      ? context?.source ?? value
      : value;
  try {
    return JSON.parse(text, exact as (key: string, value: unknown) => unknown);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`Cannot read the options: ${why}.`, { cause });
  }
}
