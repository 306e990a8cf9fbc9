import { isObject } from "./metadata_json.ts";
import { LORA_MODES } from "./prompt_loras.ts";
import type { PictureRecord } from "./metadata_record.ts";
import { CONVOLUTIONS, PRECISIONS } from "./precision.ts";

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === "string";
const isNumber: Check = (value) => typeof value === "number";
const isSeed: Check = (value) =>
  Number.isSafeInteger(value) || (typeof value === "string" && /^-?\d{1,20}$/.test(value));
const isAbsentOr = (check: Check): Check => (value) => value === undefined || check(value);
const isListOf = (check: Check): Check => (value) => Array.isArray(value) && value.every(check);
const isMapOf = (check: Check): Check => (value) =>
  isObject(value) && Object.values(value).every(check);
const has = (members: Readonly<Record<string, Check>>): Check => (value) =>
  isObject(value) && Object.entries(members).every(([key, check]) => check(value[key]));

/** What the members that are read here must be; the others are checked when a run is planned. */
const MEMBERS: Readonly<Record<string, Check>> = {
  model: has({
    path: isText,
    variant: isAbsentOr(isText),
    config: isAbsentOr(isText),
    precision: isAbsentOr((value) => (PRECISIONS as readonly unknown[]).includes(value)),
    convolution: isAbsentOr((value) => (CONVOLUTIONS as readonly unknown[]).includes(value)),
    vae: isAbsentOr(isText),
    clip: isAbsentOr(isText),
    clipVae: isAbsentOr(isText),
    loraMode: isAbsentOr((value) => (LORA_MODES as readonly unknown[]).includes(value)),
    refiner: isAbsentOr(isText),
    weights: isAbsentOr(isListOf(has({ file: isText, sha256: isText }))),
  }),
  versions: isAbsentOr(isMapOf(isText)),
  providers: isAbsentOr(isListOf(isText)),
  scheduler: isAbsentOr(has({ name: isText, settings: isObject })),
  pictures: isMapOf(has({ width: isNumber, height: isNumber, sha256: isText })),
  omitted: isListOf(isText),
  settings: has({
    prompt: isText,
    negativePrompt: isAbsentOr(isText),
    seed: isAbsentOr(isSeed),
    ...Object.fromEntries(
      [
        ...["steps", "guidanceScale", "guidanceRescale", "width", "height", "clipSkip"],
        ...["strength", "asBatchOf"],
      ].map((option) => [option, isAbsentOr(isNumber)]),
    ),
    scheduler: isAbsentOr(isText),
    schedulerOptions: isAbsentOr(isObject),
    rng: isAbsentOr((value) => value === "cpu" || value === "cuda" || value === "numpy"),
  }),
};

/** Parses the text `latent`; throws a SyntaxError if it is not such a record. */
export function parseRecord(text: string): PictureRecord {
  const record: unknown = JSON.parse(text);
  if (!isObject(record)) throw new SyntaxError("it is no record of a picture");
  if (record.format !== 1) {
    throw new SyntaxError(`its format is ${JSON.stringify(record.format)}, expected 1`);
  }
  const wrong = Object.keys(MEMBERS).find((member) => !MEMBERS[member]!(record[member]));
  if (wrong !== undefined) {
    throw new SyntaxError(`its member "${wrong}" is missing or not what it should be`);
  }
  const { settings, scheduler } = record as unknown as PictureRecord; // by the checks above
  const { seed, schedulerOptions } = settings;
  return {
    ...record,
    ...(scheduler && { scheduler: { ...scheduler, settings: revived(scheduler.settings) } }),
    settings: {
      ...settings,
      ...(typeof seed === "string" && { seed: BigInt(seed) }),
      ...(schedulerOptions && { schedulerOptions: revived(schedulerOptions) }),
    },
  } as PictureRecord;
}

/** Undoes the strings of numbers that JSON does not have. */
function revived<T extends object>(options: T): T {
  const numbers: Record<string, number> = { Infinity, "-Infinity": -Infinity, NaN };
  return Object.fromEntries(
    Object.entries(options).map(([key, value]) => [
      key,
      typeof value === "string" && Object.hasOwn(numbers, value) ? numbers[value] : value,
    ]),
  ) as T;
}
