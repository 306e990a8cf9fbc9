/** Where a result goes, and what lies beside it. */

/** The path of what belongs to the result at `output`, a file or a folder: `output.ENDING`. */
export function besideOutput(output: string, ending: string): string {
  return `${output.replace(/\/+$/, "")}.${ending}`;
}

/**
 * Makes a folder that is there whole or not at all: `write` makes it beside its place, then it is
 * renamed. What `write` throws is thrown on, and nothing is left.
 */
export async function folderWhole(
  path: string,
  write: (beside: string) => Promise<void>,
): Promise<void> {
  const beside = besideOutput(path, `${crypto.randomUUID()}.tmp`);
  try {
    await write(beside);
    await Deno.rename(beside, path);
  } catch (error) {
    await Deno.remove(beside, { recursive: true }).catch(() => {}); // The first error counts.
    throw error;
  }
}
