/**
 * A file of weights, a configuration or a vocabulary is missing, damaged, or not what its name says.
 * `path` is the file; `key` names the tensor, field or entry at fault when there is one.
 */
export class ModelFormatError extends Error {
  override readonly name = "ModelFormatError";
  readonly path: string;
  readonly key: string | undefined;

  constructor(message: string, at: { path: string; key?: string | undefined; cause?: unknown }) {
    super(message, at.cause === undefined ? undefined : { cause: at.cause });
    this.path = at.path;
    this.key = at.key;
  }
}
