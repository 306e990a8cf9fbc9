/** Runs `body` with a new folder, which is removed afterwards. */
export async function inTemporaryFolder(body: (folder: string) => Promise<void>): Promise<void> {
  // The real path, because sources report real paths (on macOS the temporary folder is a symlink).
  const folder = await Deno.realPath(await Deno.makeTempDir());
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
