/**
 * Members of foreign JSON: of the type that is wanted, or absent.
 *
 * @module
 */

/** Whether a value is a JSON object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Parses an object, with the bare NaN that Python writes as null; undefined for anything else. */
export function parseObject(text: string | undefined): Record<string, unknown> | undefined {
  if (text === undefined) return undefined;
  for (
    const attempt of [text, text.replace(/(?<=[[:,]\s*)(NaN|-?Infinity)(?=\s*[\],}])/g, "null")]
  ) {
    try {
      const value = parse(attempt, exactly);
      return isObject(value) ? value : undefined;
    } catch {
      // Not JSON as it is; the next attempt, or none, will do.
    }
  }
  return undefined;
}

/** Tells the reviver how a number was written, as engines do and TypeScript does not know yet. */
const parse = JSON.parse as (
  text: string,
  reviver: (key: string, value: unknown, context?: { readonly source?: string }) => unknown,
) => unknown;

/** Keeps all digits of whole numbers: seeds go to 2^64. */
function exactly(_: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  return context?.source && /^-?\d+$/.test(context.source) ? BigInt(context.source) : value;
}

/** A text, or a number as text. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "bigint" ? String(value) : undefined;
}

/** A finite number, given as one or as text. */
export function numberOf(value: unknown): number | undefined {
  const isText = typeof value === "string" && value.trim() !== "";
  const number = typeof value === "number" ? value : isText ? Number(value) : NaN;
  return Number.isFinite(number) ? number : undefined;
}

/** A whole number; as bigint where a number would lose digits. */
export function seedOf(value: unknown): number | bigint | undefined {
  const text = textOf(value)?.trim();
  if (text === undefined || !/^-?\d{1,20}$/.test(text)) return undefined;
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : BigInt(text);
}

/** Members of an object that are not in `known`, as text; objects as JSON. */
export function restOf(
  value: Readonly<Record<string, unknown>>,
  known: readonly string[],
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, item]) => !known.includes(key) && item !== null && item !== undefined)
      .map((
        [key, item],
      ) => [
        key,
        textOf(item) ??
          JSON.stringify(item, (_, value) => typeof value === "bigint" ? String(value) : value),
      ]),
  );
}
