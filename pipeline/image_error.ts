/** A picture could not be read, made or written. */
export class ImageError extends Error {
  /** Tells this error from others after it crossed a worker or a JSON file. */
  override readonly name = "ImageError";

  /** `source` is the picture's path, or what it is called in the message. */
  constructor(message: string, readonly source: string, options?: ErrorOptions) {
    super(message, options);
  }
}
