/**
 * `latent metadata`: how pictures were made, as their files say.
 *
 * @module
 */

import { type Metadata, metadataOfFile } from "../mod.ts";
import { type FlagTable, helpOf, parseFlags, UsageError } from "./flags.ts";
import { GENERATE_FLAGS } from "./generate_flags.ts";

const { json, verbose, help } = GENERATE_FLAGS;
const METADATA_FLAGS = { json, verbose, help } as const satisfies FlagTable;

const HELP = `Usage: latent metadata FILE... [FLAGS]

Says how pictures were made: by latent, AUTOMATIC1111, ComfyUI, InvokeAI, stable-diffusion.cpp,
NovelAI or Fooocus. Exits with 1 if one of them does not say.

  latent metadata lighthouse.png
  latent metadata *.png --json | jq -r .prompt

`;

/** Runs `latent metadata`. */
export async function metadata(args: readonly string[]): Promise<number> {
  const { flags, positionals: files } = parseFlags(METADATA_FLAGS, args);
  if (flags.help) {
    console.log(HELP + helpOf(METADATA_FLAGS));
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
      console.log(JSON.stringify({ file, ...found }, (_, v) => typeof v === "bigint" ? `${v}` : v));
    } else {
      console.log(`${files.length > 1 ? `${file}\n` : ""}${text(found)}`);
    }
  }
  return code;
}

/** One line a fact. */
function text({ extra, warnings, record: _, ...said }: Metadata): string {
  const lines = [...Object.entries(said), ...Object.entries(extra)]
    .filter(([, value]) => value !== "" && value !== undefined)
    .map(([key, value]) => `  ${key}: ${value}`);
  return [...lines, ...warnings.map((warning) => `  note: ${warning}`)].join("\n");
}
