/**
 * A file of weights, a configuration or a vocabulary is missing, damaged, or not what its name says.
 * `path` is the file; `key` names the tensor, field or entry at fault when there is one.
 */
export class ModelFormatError extends Error {
  /** The class, as text. */
  override readonly name = "ModelFormatError";
  /** The file, or what stands for it. */
  readonly path: string;
  /** The tensor, field or entry at fault. */
  readonly key: string | undefined;

  /** `message` reads: Cannot VERB WHAT: WHY; got X, expected Y. DO THIS. */
  constructor(message: string, at: { path: string; key?: string | undefined; cause?: unknown }) {
    // Names and other errors' texts come from files: what they say still takes one line.
    super(
      message.replace(/\s*[\r\n]\s*/g, " "),
      at.cause === undefined ? undefined : { cause: at.cause },
    );
    this.path = at.path;
    this.key = at.key;
  }
}
