/**
 * Whether something is at a path. That it may not be looked at is an error, not a no.
 *
 * @module
 */

/** Whether there is a file at `path`; links are followed. */
export async function isFile(path: string): Promise<boolean> {
  return (await infoOf(path))?.isFile ?? false;
}

/** Whether there is anything at `path`; links are followed. */
export async function exists(path: string): Promise<boolean> {
  return await infoOf(path) !== undefined;
}

async function infoOf(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
