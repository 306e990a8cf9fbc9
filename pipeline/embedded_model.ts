/**
 * The model that comes with the program: handwritten digits, 14 MB.
 *
 * @module
 */

import { assetFolder } from "./assets.ts";
import { type FolderOptions, type ModelParts, openFolder } from "./model_parts.ts";

/** Opens the embedded model. @throws {AssetError} where it must be fetched and cannot be. */
export async function openEmbedded(
  options: Pick<FolderOptions, "otherVae"> = {},
): Promise<ModelParts> {
  return await openFolder(await assetFolder("digits"), { ...options, variant: "fp16" });
}
