/**
 * Folders that results go to.
 *
 * @module
 */

/** Whether there is a folder at `path`; what cannot be looked at is none. */
export async function isFolder(path: string): Promise<boolean> {
  return (await Deno.stat(path).catch(() => undefined))?.isDirectory ?? false;
}

/** What {@linkcode makeFolder} is told beside the folder. */
export interface FolderUse {
  /** What cannot be written without it: the folder itself, if nothing is said. */
  readonly target?: string;
  /** Whether to prove that a file can be made in it. */
  readonly probe?: boolean;
  /** What to do about a failure. */
  readonly advice?: string;
}

/** Makes `folder` where it is missing. @throws {Error} that it cannot be written, and why. */
export async function makeFolder(folder: string, use: FolderUse = {}): Promise<void> {
  const { target = folder, probe = false, advice } = use;
  try {
    await Deno.mkdir(folder, { recursive: true });
    if (probe) await Deno.remove(await Deno.makeTempFile({ dir: folder, prefix: ".latent-" }));
  } catch (cause) {
    if (cause instanceof Deno.errors.NotCapable || !(cause instanceof Error)) throw cause;
    const which = target === folder ? "it" : folder;
    const why = cause instanceof Deno.errors.AlreadyExists
      ? `${which} is a file, not a folder`
      : cause.message.split("\n")[0];
    const message = `Cannot write ${target}: ${why}.`;
    throw new Error(advice === undefined ? message : `${message} ${advice}`, { cause });
  }
}
