/**
 * `latent metadata`: how pictures were made, as their files say.
 *
 * @module
 */

import { type Metadata, metadataOfFile } from "../mod.ts";
import { type FlagTable, parseFlags, UsageError } from "./flags.ts";
import { GENERATE_FLAGS } from "./generate_flags.ts";
import { helpText, type Page } from "./page.ts";
import { print } from "./standard_output.ts";

const { json, verbose, help } = GENERATE_FLAGS;
const METADATA_FLAGS = { json, verbose, help } as const satisfies FlagTable;

/** Help of `latent metadata`. */
export const METADATA_PAGE: Page = {
  usage: "metadata FILE... [FLAGS]",
  text: [
    "Says how pictures were made: by latent, AUTOMATIC1111, ComfyUI, InvokeAI, " +
    "stable-diffusion.cpp, NovelAI or Fooocus. Exits with 1 if one of them does not say.",
  ],
  examples: ["latent metadata seven.png", "latent metadata *.png --json | jq -r .prompt"],
  flags: METADATA_FLAGS,
  words: ["file"],
};

/** Runs `latent metadata`. */
export async function metadata(args: readonly string[]): Promise<number> {
  const { flags, positionals: files } = parseFlags(METADATA_FLAGS, args);
  if (flags.help) {
    print(helpText(METADATA_PAGE));
    return 0;
  }
  if (files.length === 0) throw new UsageError("Name a picture. See latent metadata --help.");
  let code = 0;
  for (const file of files) {
    const found = await metadataOfFile(file);
    if (!found) {
      console.error(`latent: ${file} does not say how it was made.`);
      code = 1;
    } else if (flags.json) {
      print(JSON.stringify({ file, ...found }, (_, v) => typeof v === "bigint" ? `${v}` : v));
    } else {
      print(`${files.length > 1 ? `${file}\n` : ""}${text(found)}`);
    }
  }
  return code;
}

/** One line a fact. */
function text({ extra, warnings, record, ...said }: Metadata): string {
  const lines = [
    ...Object.entries(said),
    ...Object.entries(shortcuts(record)),
    ...Object.entries(extra),
  ]
    .filter(([, value]) => value !== "" && value !== undefined)
    .map(([key, value]) => `  ${key}: ${value}`);
  return [...lines, ...warnings.map((warning) => `  note: ${warning}`)].join("\n");
}

/** What made it quicker, for which other programs have no words. */
function shortcuts(record: Metadata["record"]): Record<string, string | number | undefined> {
  if (!record) return {};
  const { model: { precision, convolution }, settings: { stepCache, tokenMerging } } = record;
  const cache = stepCache && Object.entries(stepCache).map((each) => each.join(" ")).join(", ");
  return { precision, convolution, stepCache: cache, tokenMerging };
}
