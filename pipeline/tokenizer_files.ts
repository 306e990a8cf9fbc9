/**
 * What a CLIP tokenizer is made of, as it lies on disk.
 *
 * @module
 */

import { join } from "node:path";
import { ModelFormatError } from "../weights/model_format_error.ts";

/** A special token; `normalized` ones are found in the text after lower-casing. */
export interface SpecialToken {
  /** The token as text. */
  readonly content: string;
  /** Whether it is found after lower-casing, hence in any case. */
  readonly normalized: boolean;
}

/** The parts of a CLIP tokenizer. */
export interface TokenizerFiles {
  /** Ids by token, as `vocab.json` has them. */
  readonly vocab: Readonly<Record<string, number>>;
  /** Pairs in order of priority. */
  readonly merges: readonly (readonly [string, string])[];
  /** The token of each role. */
  readonly special: Readonly<Record<Role, SpecialToken>>;
  /** Ids of tokens beyond the vocabulary (`added_tokens.json`). */
  readonly added: Readonly<Record<string, number>>;
  /** Tokens in a window, with start and end. */
  readonly maxLength: number;
}

/** What a special token is for. */
export type Role = "bos_token" | "eos_token" | "unk_token" | "pad_token";
type Json = Record<string, unknown>;

/** The roles in transformers' order: of two with one token, the last decides `normalized`. */
const DEFAULTS: Readonly<Record<Role, string>> = {
  bos_token: "<|startoftext|>",
  eos_token: "<|endoftext|>",
  unk_token: "<|endoftext|>",
  pad_token: "<|endoftext|>",
};

/** Old files have 10^30 for "no limit"; CLIP's position embedding has 77 rows. */
const CLIP_LENGTH = 77, LONGEST = 100_000;

/**
 * Reads a tokenizer folder: `vocab.json` with `merges.txt`, or `tokenizer.json`; the special tokens
 * from `special_tokens_map.json` before `tokenizer_config.json`, as transformers does.
 * @throws {ModelFormatError} that names the file at fault.
 */
export async function readTokenizerFiles(folder: string): Promise<TokenizerFiles> {
  const path = (name: string) => join(folder, name);
  const [config, map, added] = await Promise.all([
    readJson(path("tokenizer_config.json")),
    readJson(path("special_tokens_map.json")),
    readJson(path("added_tokens.json")),
  ]);
  const core = await readVocabAndMerges(folder) ?? await readTokenizerJson(path("tokenizer.json"));
  if (core === undefined) {
    throw new ModelFormatError(
      `Cannot open tokenizer ${folder}: it has neither vocab.json with merges.txt nor ` +
        "tokenizer.json. Download the folder again.",
      { path: folder },
    );
  }
  const roles = Object.keys(DEFAULTS) as Role[];
  const token = (role: Role) =>
    specialToken(map?.[role] ?? config?.[role] ?? DEFAULTS[role], role, folder);
  const { model_max_length: length } = config ?? {};
  return {
    vocab: core.vocab,
    merges: core.merges,
    special: Object.fromEntries(
      roles.map((role) => [role, token(role)]),
    ) as TokenizerFiles["special"],
    added: {
      ...core.added,
      ...addedTokens(config),
      ...checkIds(added ?? {}, path("added_tokens.json")),
    },
    maxLength: typeof length === "number" && length >= 2 && length < LONGEST ? length : CLIP_LENGTH,
  };
}

async function readVocabAndMerges(folder: string) {
  const vocabPath = join(folder, "vocab.json"), mergesPath = join(folder, "merges.txt");
  const [vocab, merges] = await Promise.all([readJson(vocabPath), readText(mergesPath)]);
  if (vocab === undefined || merges === undefined) return undefined;
  return { vocab: checkIds(vocab, vocabPath), merges: parseMerges(merges, mergesPath), added: {} };
}

async function readTokenizerJson(path: string) {
  const json = await readJson(path);
  if (json === undefined) return undefined;
  const { vocab, merges } = Object(json.model) as Json;
  if (!isObject(vocab) || !Array.isArray(merges)) {
    throw new ModelFormatError(`Cannot read ${path}: its model has no vocab and merges.`, {
      path,
      key: "model",
    });
  }
  const added = Array.isArray(json.added_tokens) ? json.added_tokens as Json[] : [];
  return {
    vocab: checkIds(vocab, path),
    // Written as "a b" before tokenizers 0.20, as ["a", "b"] since.
    merges: merges.map((merge: unknown) => parseMerge(merge, path)),
    added: Object.fromEntries(added.map(({ content, id }) => [String(content), Number(id)])),
  };
}

/** The pairs of a `merges.txt`. @throws {ModelFormatError} for a line that is no pair. */
export function parseMerges(text: string, path: string): [string, string][] {
  const lines = text.split(/\r?\n/).filter((line, i) =>
    line !== "" && !(i === 0 && line.startsWith("#version"))
  );
  return lines.map((line) => parseMerge(line, path));
}

function parseMerge(merge: unknown, path: string): [string, string] {
  const parts: unknown = typeof merge === "string" ? merge.split(" ") : merge;
  if (Array.isArray(parts) && parts.length === 2 && parts.every((p) => typeof p === "string")) {
    return parts as [string, string];
  }
  throw new ModelFormatError(`Cannot read ${path}: ${JSON.stringify(merge)} is no merge.`, {
    path,
  });
}

function checkIds(vocab: Json, path: string): Record<string, number> {
  for (const [token, id] of Object.entries(vocab)) {
    if (!Number.isInteger(id)) {
      throw new ModelFormatError(
        `Cannot read ${path}: the id of ${JSON.stringify(token)} is ${id}.`,
        {
          path,
          key: token,
        },
      );
    }
  }
  return vocab as Record<string, number>;
}

/** `added_tokens_decoder` of newer configs: tokens by their ids. */
function addedTokens(config: Json | undefined): Record<string, number> {
  const decoder = Object.entries(Object(config?.added_tokens_decoder) as Record<string, Json>);
  return Object.fromEntries(decoder.map(([id, { content }]) => [String(content), Number(id)]));
}

/** Text alone is matched as it is; the older spelling is an object that says. */
function specialToken(value: unknown, role: Role, path: string): SpecialToken {
  if (typeof value === "string") return { content: value, normalized: false };
  if (isObject(value) && typeof value.content === "string") {
    return { content: value.content, normalized: value.normalized === true };
  }
  throw new ModelFormatError(`Cannot open tokenizer ${path}: its ${role} is ${value}.`, {
    path,
    key: role,
  });
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

async function readJson(path: string): Promise<Json | undefined> {
  const text = await readText(path);
  if (text === undefined) return undefined;
  try {
    const json: unknown = JSON.parse(text);
    if (isObject(json)) return json;
  } catch (cause) {
    throw new ModelFormatError(`Cannot read ${path}: it is not JSON.`, { path, cause });
  }
  throw new ModelFormatError(`Cannot read ${path}: it is not a JSON object.`, { path });
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw new ModelFormatError(`Cannot read ${path}: ${cause}.`, { path, cause });
  }
}
