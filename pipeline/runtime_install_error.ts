/** An ONNX Runtime could not be installed. */
export class RuntimeInstallError extends Error {
  /** `RuntimeInstallError`. */
  override readonly name = "RuntimeInstallError";
  /** The package. */
  readonly source: string;

  /** Says which package, and why. */
  constructor(source: string, reason: string, options?: ErrorOptions) {
    super(
      `Cannot install ONNX Runtime from ${source}: ${reason}. Give a wheel, an npm package or a ` +
        "folder that holds it for this platform.",
      options,
    );
    this.source = source;
  }
}
