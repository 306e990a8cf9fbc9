/**
 * The folders that the program keeps things in: how full they are, and whether they can be written.
 *
 * @module
 */

import { join } from "node:path";
import { programFolders } from "../mod.ts";

/** One folder. */
export interface FolderReport {
  readonly purpose: "program" | "hub";
  readonly path?: string;
  /** Bytes of all files in it; 0 for one that is not there yet. */
  readonly bytes: number;
  /** Why nothing can be written there. */
  readonly problem?: string;
}

/** Looks at the cache folders. */
export async function folderReports(): Promise<FolderReport[]> {
  const { cache, hub } = programFolders();
  return [await folderReport("program", cache), await folderReport("hub", hub)];
}

async function folderReport(
  purpose: FolderReport["purpose"],
  path: string | undefined,
): Promise<FolderReport> {
  if (path === undefined) return { purpose, bytes: 0, problem: "the environment names no folder" };
  const problem = await problemOf(path);
  return { purpose, path, bytes: await bytesBelow(path), ...(problem && { problem }) };
}

/** Writes a file in the folder, or in the nearest one above it that is there. */
async function problemOf(path: string): Promise<string | undefined> {
  try {
    const probe = await Deno.makeTempFile({ dir: path, prefix: ".latent-" });
    await Deno.remove(probe);
    return undefined;
  } catch (error) {
    const above = join(path, "..");
    if (error instanceof Deno.errors.NotFound && above !== path) return await problemOf(above);
    return error instanceof Error ? error.message.split("\n")[0] : String(error);
  }
}

async function bytesBelow(folder: string): Promise<number> {
  let bytes = 0;
  try {
    for await (const { name, isDirectory, isFile } of Deno.readDir(folder)) {
      const path = join(folder, name);
      if (isDirectory) bytes += await bytesBelow(path);
      else if (isFile) bytes += (await Deno.lstat(path)).size;
    }
  } catch {
    return bytes; // What cannot be read is not counted.
  }
  return bytes;
}
