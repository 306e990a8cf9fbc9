/**
 * Pictures made again: what their files say of them, and how the model was opened.
 *
 * @module
 */

import { type Metadata, metadataOfFile, type OpenOptions, type PictureFacts } from "../mod.ts";

/** How a picture was made. @throws {Error} that it cannot be made again, where its file does not say. */
export async function recordOf(path: string, goal: "replay" | "verify"): Promise<Metadata> {
  const found = await metadataOfFile(path);
  if (found) return found;
  throw new Error(`Cannot ${goal} ${path}: it does not say how it was made.`);
}

/** How the model of a replayed picture was opened. */
export function openedAs(model: Partial<PictureFacts["model"]> = {}): OpenOptions {
  // By name: a record comes from a file, which might say anything.
  const known = [
    "variant",
    "config",
    "vae",
    "refiner",
    "loraMode",
    "precision",
    "convolution",
    "clip",
    "clipVae",
  ] as const;
  const said = known.filter((option) => model[option] !== undefined);
  return Object.fromEntries(said.map((option) => [option, model[option]]));
}
