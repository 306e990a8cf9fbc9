/** An asset of the program could not be fetched, or is not the one that this version belongs with. */
export class AssetError extends Error {
  /** `AssetError`. */
  override readonly name = "AssetError";
  /** Where it was asked for. */
  readonly url: string;

  /** Says which asset, why, and what to do. */
  constructor(url: string, reason: string, options?: ErrorOptions) {
    super(
      `Cannot load ${url}: ${reason}. Try again, or run the program from a folder of its own.`,
      options,
    );
    this.url = url;
  }
}
