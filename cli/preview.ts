/**
 * `--preview`: how a picture looks while it is drawn, on the terminal or as events.
 *
 * @module
 */

import type { FlagTable, FlagValues } from "./flags.ts";
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
} as const satisfies FlagTable;

/** Parsed {@linkcode PREVIEW_FLAGS}. */
export type PreviewFlags = FlagValues<typeof PREVIEW_FLAGS> & {
  readonly json?: boolean;
  readonly quiet?: boolean;
};

/** Whether previews are to be made at all. */
export function wantsPreview(flags: PreviewFlags): boolean {
  const { quiet, json, preview, "preview-format": format } = flags;
  if (json) return preview ?? false;
  return !quiet && (format !== undefined || (preview === true && Deno.stderr.isTerminal()));
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
