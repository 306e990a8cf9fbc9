/**
 * `--preview`: how a picture looks while it is drawn, on the terminal or as events.
 *
 * @module
 */

import type { Image, Latents, StableDiffusion } from "../mod.ts";
import { type FlagTable, type FlagValues, UsageError } from "./flags.ts";
import { latentPreview } from "./preview_colors.ts";
import { type Draft, draftIn, roomIn } from "./preview_drafts.ts";
import {
  askTerminal,
  formatByEnvironment,
  hasTrueColor,
  PREVIEW_FORMATS,
} from "./preview_terminal.ts";

/** Flags of every command that shows previews. */
export const PREVIEW_FLAGS = {
  preview: { kind: "switch", help: "show the picture while it is drawn; with --json as events" },
  "preview-format": {
    kind: "text",
    choices: PREVIEW_FORMATS,
    help: "how, where the terminal does not tell; also into a file",
  },
  "preview-vae": {
    kind: "text",
    value: "PATH",
    help: "autoencoder of previews, such as TAESD (a fit of colours)",
  },
} as const satisfies FlagTable;

/** Parsed {@linkcode PREVIEW_FLAGS}. */
export type PreviewFlags = FlagValues<typeof PREVIEW_FLAGS> & {
  readonly json?: boolean;
  readonly quiet?: boolean;
};

/** Whether previews are to be made at all. */
function wantsPreview(flags: PreviewFlags): boolean {
  const { quiet, json, preview, "preview-format": format } = flags;
  if (json) return preview ?? false;
  return !quiet && (format !== undefined || (preview === true && Deno.stderr.isTerminal()));
}

/**
 * Makes previews of latents: by the autoencoder that is asked for, else by a map of colours fitted to
 * the model's own. Undefined where none are to be made.
 */
export function previewerOf(
  flags: PreviewFlags,
  sd: StableDiffusion,
): ((latents: Latents) => Promise<Image>) | undefined {
  if (!wantsPreview(flags)) return undefined;
  return flags["preview-vae"] === undefined ? latentPreview(sd) : (latents) => sd.preview(latents);
}

/** What the flags ask to be opened for previews. @throws {UsageError} where there are none. */
export function previewNetworks(flags: PreviewFlags): { previewVae?: string } {
  const { "preview-vae": previewVae, preview, "preview-format": format } = flags;
  if (previewVae === undefined) return {};
  if (!preview && format === undefined) {
    throw new UsageError("--preview-vae makes previews: add --preview.");
  }
  return { previewVae };
}

/** How previews are drawn on standard error; undefined where they are not, or cannot be. */
export async function draftOf(flags: PreviewFlags): Promise<Draft | undefined> {
  if (!wantsPreview(flags) || flags.json) return undefined;
  const env = (name: string) => Deno.env.get(name);
  const room = roomIn(terminalSize());
  const format = flags["preview-format"] ?? formatByEnvironment(env) ?? await askTerminal();
  return room && draftIn(format, { room, trueColor: hasTrueColor(env) });
}

function terminalSize(): { columns: number; rows: number } {
  try {
    return Deno.consoleSize();
  } catch {
    return { columns: 80, rows: 24 }; // no terminal, or one that does not tell its size
  }
}
