/** Why a training cannot begin or go on; `option` names what the caller can change. */
export class TrainingError extends Error {
  /** The class name. */
  override readonly name = "TrainingError";
  /** `option`: which option is at fault, in camelCase. */
  constructor(readonly option: string, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}
