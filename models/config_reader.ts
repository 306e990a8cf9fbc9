import { ModelFormatError } from "../weights/model_format_error.ts";

/** A parsed `config.json`: keys by name, values unchecked. */
export type ConfigJson = Readonly<Record<string, unknown>>;

/**
 * Typed access to a `config.json`. A key that is absent or `null` takes the fallback, which is the
 * default of the class that wrote the file; every value of another type is a ModelFormatError that
 * names the file and the key.
 */
export class ConfigReader {
  /** Reads `json`, which came from the file `path`. */
  constructor(readonly json: ConfigJson, readonly path: string) {}

  /** The value at `key`, undefined where it is absent or null. */
  optional(key: string): unknown {
    return this.json[key] ?? undefined;
  }

  /** A finite number. */
  number(key: string, fallback: number): number {
    const value = this.optional(key) ?? fallback;
    if (typeof value !== "number" || !Number.isFinite(value)) throw this.wrong(key, "a number");
    return value;
  }

  /** A whole number of at least `least`. */
  integer(key: string, fallback: number, least = 1): number {
    const value = this.optional(key) ?? fallback;
    if (!isInteger(value, least)) throw this.wrong(key, `a whole number from ${least}`);
    return value;
  }

  /** A whole number from 1, undefined where the key is absent. */
  optionalInteger(key: string): number | undefined {
    return this.optional(key) === undefined ? undefined : this.integer(key, 0);
  }

  /** true or false. */
  boolean(key: string, fallback: boolean): boolean {
    const value = this.optional(key) ?? fallback;
    if (typeof value !== "boolean") throw this.wrong(key, "true or false");
    return value;
  }

  /** One of `allowed`. */
  choice<T extends string>(key: string, fallback: T, allowed: readonly T[]): T {
    const value = this.optional(key) ?? fallback;
    const found = allowed.find((name) => name === value);
    if (found === undefined) throw this.wrong(key, `one of ${allowed.join(", ")}`);
    return found;
  }

  /** A list whose entries are all among `allowed`. */
  choices<T extends string>(key: string, fallback: readonly T[], allowed: readonly T[]): T[] {
    const value = this.optional(key) ?? fallback;
    if (!Array.isArray(value) || value.length === 0) throw this.wrong(key, "a list of names");
    return value.map((entry) => {
      const found = allowed.find((name) => name === entry);
      if (found === undefined) throw this.wrong(key, `names among ${allowed.join(", ")}`, entry);
      return found;
    });
  }

  /** A list of whole numbers from 1, of `count` entries where that is given. */
  integers(key: string, fallback: readonly number[], count?: number): number[] {
    const value = this.optional(key) ?? fallback;
    const length = count ?? (Array.isArray(value) ? value.length : 0);
    if (!Array.isArray(value) || length === 0 || value.length !== length) {
      throw this.wrong(key, count === undefined ? "a list of whole numbers" : `${count} numbers`);
    }
    if (!value.every((entry) => isInteger(entry, 1))) {
      throw this.wrong(key, "whole numbers from 1");
    }
    return value;
  }

  /** One whole number for each of `count` blocks; a single number stands for all of them. */
  integerPerBlock(key: string, fallback: number, count: number): number[] {
    const value = this.optional(key) ?? fallback;
    if (isInteger(value, 1)) return Array(count).fill(value);
    return this.integers(key, [], count);
  }

  /** One truth value for each of `count` blocks; a single one stands for all of them. */
  booleanPerBlock(key: string, fallback: boolean, count: number): boolean[] {
    const value = this.optional(key) ?? fallback;
    if (typeof value === "boolean") return Array(count).fill(value);
    const isList = Array.isArray(value) && value.length === count;
    if (!isList || !value.every((entry) => typeof entry === "boolean")) {
      throw this.wrong(key, `true, false or a list of ${count}`);
    }
    return value;
  }

  /** A list of `count` numbers, undefined where the key is absent. */
  optionalNumbers(key: string, count: number): number[] | undefined {
    const value = this.optional(key);
    if (value === undefined) return undefined;
    const isList = Array.isArray(value) && value.length === count;
    if (!isList || !value.every(Number.isFinite)) throw this.wrong(key, `${count} numbers`);
    return value;
  }

  /** Refuses a file whose `key` is set to anything but `neutral`: a variant that is not built. */
  refuse(key: string, neutral: readonly unknown[]): void {
    const value = this.optional(key);
    if (value === undefined || neutral.includes(value)) return;
    const expected = neutral.length === 0
      ? "the key to be absent"
      : neutral.map((v) => JSON.stringify(v)).join(" or ");
    throw this.wrong(key, `${expected} (this variant of the network is not supported)`);
  }

  /** Refuses a file that says it is of another class. Absent is fine: old files don't say. */
  requireClass(allowed: readonly string[]): void {
    const value = this.optional("_class_name");
    if (value === undefined || allowed.some((name) => name === value)) return;
    throw this.wrong("_class_name", allowed.join(" or "));
  }

  /** The error for `key`: got what the file has (or `got`), expected `expected`. */
  wrong(key: string, expected: string, got: unknown = this.json[key]): ModelFormatError {
    return new ModelFormatError(
      `Cannot use ${this.path}: ${key} does not fit; got ${JSON.stringify(got)}, ` +
        `expected ${expected}.`,
      { path: this.path, key },
    );
  }
}

function isInteger(value: unknown, least: number): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= least;
}
