/**
 * The model that comes with the program: handwritten digits, 14 MB.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { type ModelParts, openFolder } from "./model_parts.ts";

/** Where it lies beside this source. */
const LOCATION = new URL("../assets/digits/", import.meta.url);

/** Opens the embedded model. */
export async function openEmbedded(): Promise<ModelParts> {
  return await openFolder(fileURLToPath(LOCATION), { variant: "fp16" });
}
