/** What `body` makes of a new folder, which is removed afterwards. */
export async function inTemporaryFolder<T>(body: (folder: string) => Promise<T>): Promise<T> {
  // The real path, because sources report real paths (on macOS the temporary folder is a symlink).
  const folder = await Deno.realPath(await Deno.makeTempDir());
  try {
    return await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
