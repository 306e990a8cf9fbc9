/**
 * Where pictures go: a file, a folder, a name template, or standard output.
 *
 * @module
 */

import { basename, dirname, extname, join } from "node:path";
import type { Image } from "../mod.ts";
import { UsageError } from "./flags.ts";
import { isFolder, makeFolder } from "./folders.ts";
import { writeToStandardOutput } from "./standard_output.ts";

/** What a template's fields stand for. */
export interface OutputFields {
  /** 0, 1, ... within the run. */
  readonly index: number;
  readonly seed: number | bigint;
  readonly prompt: string;
}

/** Takes the pictures of one run. */
export interface Output {
  /** True where pictures go to standard output, which then carries nothing else. */
  readonly standardOutput: boolean;
  /** Writes a picture; returns the path, or "-". */
  save(image: Image, fields: OutputFields): Promise<string>;
}

/** Extensions that pictures can be written as. */
const EXTENSIONS = [".png", ".jpg", ".jpeg"];

/**
 * Understands `--output`: `-`, a folder (existing, or ending in a slash), or a file name that may
 * hold `{index}`, `{seed}` and `{prompt}`. Several pictures into one plain file name get their
 * seeds into it. Checks now that the folder can be written, before the work begins.
 *
 * @throws {UsageError} for an extension that is no picture format.
 */
export async function openOutput(target: string, several: boolean): Promise<Output> {
  if (target === "-") return { standardOutput: true, save: saveToStandardOutput };
  const template = await templateOf(target, several);
  const extension = extname(template).toLowerCase();
  if (!EXTENSIONS.includes(extension)) {
    throw new UsageError(
      `Cannot write ${target}: pictures are ${EXTENSIONS.join(", ")} files; ` +
        `got ${extension ? `"${extension}"` : "no extension"}. End a folder's name in "/".`,
    );
  }
  if (!dirname(template).includes("{")) {
    const advice = "Choose another --output.";
    await makeFolder(dirname(template), { target, probe: true, advice });
  }
  return {
    standardOutput: false,
    async save(image, fields) {
      const path = fill(template, fields);
      if (dirname(template).includes("{")) await Deno.mkdir(dirname(path), { recursive: true });
      await image.save(path);
      return path;
    },
  };
}

async function templateOf(target: string, several: boolean): Promise<string> {
  if (target.endsWith("/") || target.endsWith("\\") || await isFolder(target)) {
    return join(target, "{index}-{seed}.png");
  }
  if (!several || /\{(index|seed)\}/.test(target)) return target;
  const extension = extname(target);
  return join(dirname(target), `${basename(target, extension)}-{seed}${extension}`);
}

/** Fills a template; a prompt becomes at most 80 letters, digits and dashes. */
export function fill(template: string, fields: OutputFields): string {
  return template
    .replaceAll("{index}", String(fields.index).padStart(4, "0"))
    .replaceAll("{seed}", String(fields.seed))
    .replaceAll("{prompt}", slug(fields.prompt));
}

function slug(text: string): string {
  const words = text.normalize("NFKC").toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, "-");
  return [...words.replaceAll(/^-+|-+$/g, "")].slice(0, 80).join("") || "prompt";
}

async function saveToStandardOutput(image: Image): Promise<string> {
  await writeToStandardOutput(await image.encode("png"));
  return "-";
}
