/** A file that is to be loaded is not the one that was put there. */
export class LibraryIntegrityError extends Error {
  /** `LibraryIntegrityError`. */
  override readonly name = "LibraryIntegrityError";
  /** The file at fault. */
  readonly path: string;

  /** Says which file, why, and what to do. */
  constructor(path: string, reason: string, remedy: string, options?: ErrorOptions) {
    super(`Cannot load ${path}: ${reason}. ${remedy}`, options);
    this.path = path;
  }
}
