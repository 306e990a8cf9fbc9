/** A picture could not be read, made or written; `source` is its path, or what it was called. */
export class ImageError extends Error {
  override readonly name = "ImageError";

  constructor(message: string, readonly source: string, options?: ErrorOptions) {
    super(message, options);
  }
}
